# METADATA
# scope: package
# title: Container that runs as root
# description: A mistake in the code has the rights of root in the container, and often a way out of it.
# custom:
#   severity: medium
#   fix: 'Name a user: `runAsNonRoot: true` and `runAsUser`, or `USER` in the Dockerfile.'
#   references:
#     - CWE-250
#     - SOC 2 CC6.3
package lockgate.check.root_workload

import rego.v1

import data.lockgate.lib

deny contains {"fact": w.id, "message": sprintf("%s runs as root", [lib.workload(w)])} if {
	some w in input.workloads
	w.role == "source"
	w.root == "yes"
}

# Training whose image decides who runs it.
unresolved contains {"fact": w.id, "message": sprintf("nothing says that %s does not run as root", [lib.workload(w)])} if {
	some w in input.workloads
	w.role == "source"
	w.training
	w.root == "unset"
}
