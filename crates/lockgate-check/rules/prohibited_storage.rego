# METADATA
# scope: package
# title: Prohibited storage
# description: The team has decided that no pipeline may touch this location.
# custom:
#   severity: high
#   fix: 'Use an allowed location; `storage.prohibited` in lockgate.yaml says which ones are not.'
#   references:
#     - CWE-668
#     - MITRE ATLAS AML.T0036
#     - SOC 2 CC6.1
#     - NIST AI RMF MAP 4.1
package lockgate.check.prohibited_storage

import rego.v1

import data.lockgate.lib

deny contains {"fact": s.id, "message": sprintf("%s is prohibited (%s)", [s.uri, p.pattern])} if {
	some s in input.storage
	s.role == "source"
	s.complete
	some p in input.parameters.prohibited
	lib.within(p, s)
}

# Only a part of the name is known, and the rest may make it a prohibited one.
unresolved contains {"fact": s.id, "message": sprintf("%s may be %s", [s.uri, p.pattern])} if {
	some s in input.storage
	s.role == "source"
	some p in input.parameters.prohibited
	lib.may_be(p, s)
}
