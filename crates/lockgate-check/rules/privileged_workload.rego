# METADATA
# scope: package
# title: Privileged container
# description: A process that breaks out of the code it runs owns the machine and everything else on it.
# custom:
#   severity: high
#   fix: 'Run without `privileged`, without added capabilities and with `allowPrivilegeEscalation: false`.'
#   references:
#     - CWE-250
#     - MITRE ATLAS AML.T0049
#     - SOC 2 CC6.3
package lockgate.check.privileged_workload

import rego.v1

import data.lockgate.lib

deny contains {"fact": w.id, "message": sprintf("%s is privileged", [lib.workload(w)])} if {
	some w in input.workloads
	w.role == "source"
	w.privileged
}

deny contains {"fact": w.id, "message": sprintf("%s may escalate its privileges", [lib.workload(w)])} if {
	some w in input.workloads
	w.role == "source"
	not w.privileged
	w.escalation == "yes"
}

deny contains {"fact": w.id, "message": sprintf("%s adds the capability %s", [lib.workload(w), capability])} if {
	some w in input.workloads
	w.role == "source"
	some capability in w.capabilities
	capability in {"ALL", "SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE", "SYS_MODULE", "DAC_READ_SEARCH", "SYS_RAWIO"}
}
