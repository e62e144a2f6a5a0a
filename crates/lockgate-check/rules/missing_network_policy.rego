# METADATA
# scope: package
# title: Namespace without a network policy
# description: Every pod of the cluster can reach the training jobs, and they can reach everything, also to send data out.
# custom:
#   severity: medium
#   fix: Add a NetworkPolicy that selects all pods of the namespace and denies what is not named.
#   references:
#     - CWE-923
#     - MITRE ATLAS AML.T0025
#     - SOC 2 CC6.6
package lockgate.check.missing_network_policy

import rego.v1

deny contains {"fact": n.id, "message": message(n)} if {
	some n in open
	n.known
}

# A namespace that is made elsewhere may have its policies there.
unresolved contains {"fact": n.id, "message": message(n)} if {
	some n in open
	not n.known
}

open contains n if {
	some n in input.namespaces
	n.role == "source"
	not n.isolated
	n.training
}

open contains n if {
	some n in input.namespaces
	n.role == "source"
	not n.isolated
	n.name != "default"
}

message(n) := sprintf("no network policy selects the pods that train in `%s`", [n.name]) if n.training

message(n) := sprintf("the namespace `%s` has no network policy", [n.name]) if not n.training
