# METADATA
# scope: package
# title: Storage that is not allowed
# description: The team keeps a list of locations that pipelines may touch, and this one is not on it.
# custom:
#   severity: medium
#   fix: 'Use a location of `storage.allowed` in lockgate.yaml, or have this one added.'
#   references:
#     - CWE-668
#     - SOC 2 CC6.1
#     - NIST AI RMF MAP 4.1
package lockgate.check.storage_not_allowed

import rego.v1

import data.lockgate.lib

deny contains {"fact": s.id, "message": sprintf("%s is not among the allowed locations", [s.uri])} if {
	count(input.parameters.allowed) > 0
	some s in input.storage
	s.role == "source"
	s.complete
	s.provider != "file"
	not is_allowed(s)
}

unresolved contains {"fact": s.id, "message": sprintf("%s cannot be held against the allowed locations", [s.uri])} if {
	count(input.parameters.allowed) > 0
	some s in input.storage
	s.role == "source"
	not s.complete
}

is_allowed(s) if {
	some p in input.parameters.allowed
	lib.within(p, s)
}
