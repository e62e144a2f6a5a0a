# METADATA
# scope: package
# title: Data is sent without TLS
# description: Anybody on the way can read and change it.
# custom:
#   severity: medium
#   fix: Use the encrypted form of the protocol.
#   references:
#     - CWE-319
#     - SOC 2 CC6.7
package lockgate.check.unencrypted_transport

import rego.v1

import data.lockgate.lib

deny contains {"fact": n.id, "message": sprintf("%s goes out unencrypted", [where(n)])} if {
	some n in input.network
	n.role == "source"
	not n.encrypted
	n.verification != "off"
	n.access == "send"
	not lib.is_local(n.host)
}

where(n) := sprintf("what is sent to %s://%s", [n.scheme, n.host]) if n.host != ""

where(n) := sprintf("what `%s` sends", [n.sink]) if n.host == ""
