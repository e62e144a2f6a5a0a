# METADATA
# scope: package
# title: Training outside of an isolated namespace
# description: Training code reads personal data and runs what others wrote; beside other workloads it reaches them.
# custom:
#   severity: medium
#   fix: Give training a namespace of its own with a network policy that denies by default, and a service account without rights.
#   references:
#     - MITRE ATLAS AML.T0049
#     - SOC 2 CC6.6
#     - NIST AI RMF MANAGE 2.2
package lockgate.check.training_not_isolated

import rego.v1

import data.lockgate.lib

deny contains {"fact": w.id, "message": sprintf("%s trains in the namespace `default`", [lib.workload(w)])} if {
	some w in input.workloads
	w.role == "source"
	w.training
	w.namespace in {"", "default"}
}

# A release of a chart says where it goes.
unresolved contains {"fact": w.id, "message": sprintf("%s may train in the namespace `default`", [lib.workload(w)])} if {
	some w in input.workloads
	w.role == "source"
	w.training
	contains(w.namespace, "…")
}
