# METADATA
# scope: package
# title: Command that runs or opens what it should not
# description: A download that is run unseen runs what somebody else wrote; a path that everybody may write is one that anybody changes; text from outside in a command is a command of theirs.
# custom:
#   severity: medium
#   fix: Download, verify a digest, then run; give paths to the user that needs them; hand text from outside on in `env` and quote the variable.
#   references:
#     - CWE-78
#     - CWE-494
#     - CWE-732
#     - MITRE ATLAS AML.T0010
package lockgate.check.unsafe_command

import rego.v1

deny contains {"fact": c.id, "message": sprintf("`%s` %s", [c.program, words[what]])} if {
	some c in input.commands
	c.role == "source"
	some what in c.does
}

words := {
	"download-and-run": "is piped into a shell",
	"world-writable": "lets everybody write",
	"outside-input": "puts text from outside into a command",
}
