# METADATA
# scope: package
# title: Container with access to its host
# description: A path or a namespace of the host in the container is a way to everything on it.
# custom:
#   severity: high
#   fix: Use volumes of the cluster, and leave the host's network, processes and paths alone.
#   references:
#     - CWE-668
#     - MITRE ATLAS AML.T0049
#     - SOC 2 CC6.3
package lockgate.check.host_access

import rego.v1

import data.lockgate.lib

deny contains {"fact": w.id, "message": sprintf("%s mounts %s of its host", [lib.workload(w), concat(", ", w.host_mounts)])} if {
	some w in input.workloads
	w.role == "source"
	count(w.host_mounts) > 0
}

deny contains {"fact": w.id, "message": sprintf("%s shares the %s of its host", [lib.workload(w), concat(", ", w.host_namespaces)])} if {
	some w in input.workloads
	w.role == "source"
	count(w.host_namespaces) > 0
}
