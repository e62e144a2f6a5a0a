# METADATA
# scope: package
# title: Broad permissions
# description: A stolen token of this identity opens everything, not the one thing that it is for.
# custom:
#   severity: high
#   fix: Name the actions and the resources that are needed.
#   references:
#     - CWE-732
#     - MITRE ATLAS AML.T0012
#     - SOC 2 CC6.3
package lockgate.check.broad_permissions

import rego.v1

deny contains {"fact": p.id, "message": sprintf("%s %s grants %s", [p.kind, p.name, concat(", ", p.broad)])} if {
	some p in input.permissions
	p.role == "source"
	count(p.broad) > 0
}
