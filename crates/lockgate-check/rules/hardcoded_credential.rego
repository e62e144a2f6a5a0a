# METADATA
# scope: package
# title: Hardcoded credential
# description: Whoever can read the code, its history or its build has the credential, and it cannot be changed without a release.
# custom:
#   severity: high
#   fix: Take it from the secret store when the program runs, and change the one that was written down.
#   references:
#     - CWE-798
#     - MITRE ATLAS AML.T0055
#     - SOC 2 CC6.1
#     - NIST AI RMF MANAGE 2.4
#     - "OWASP ML06:2023"
package lockgate.check.hardcoded_credential

import rego.v1

deny contains {"fact": c.id, "message": message(c)} if {
	some c in input.credentials
	not in_image(c)
	counts(c)
}

# The rule on images speaks of it.
in_image(c) if {
	c.how == "image"
	c.role == "source"
}

# A credential whose form is known is one wherever it stands.
counts(c) if c.strength == "format"

counts(c) if {
	c.strength == "literal"
	c.role == "source"
}

message(c) := sprintf("a credential of the form %s is written in the code (%s)", [c.entity, c.hint]) if c.entity

message(c) := sprintf("`%s` is written in the code (%s)", [c.name, c.hint]) if {
	not c.entity
	c.name != ""
}

message(c) := sprintf("a credential is written in the code (%s)", [c.hint]) if {
	not c.entity
	c.name == ""
}
