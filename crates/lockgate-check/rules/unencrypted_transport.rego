# METADATA
# scope: package
# title: Data is sent without TLS
# description: Anybody on the way can read and change it.
# custom:
#   severity: medium
#   fix: Use the encrypted form of the protocol, and refuse requests without TLS.
#   references:
#     - CWE-319
#     - SOC 2 CC6.7
package lockgate.check.unencrypted_transport

import rego.v1

import data.lockgate.lib

deny contains {"fact": n.id, "message": sprintf("%s %s://%s goes unencrypted", [words[n.access], n.scheme, n.host])} if {
	some n in plain
	n.host != ""
	not contains(n.host, "…")
	not lib.is_local(n.host)
}

# A switch that turns encryption off, wherever it goes.
deny contains {"fact": n.id, "message": sprintf("`%s` turns encryption off", [n.sink])} if {
	some n in plain
	n.host == ""
}

# A store that takes requests in plain text.
deny contains {"fact": b.id, "message": sprintf("%s takes requests without TLS: %s", [b.address, concat(", ", b.because)])} if {
	some b in input.buckets
	b.role == "source"
	b.encrypted_transport == "no"
}

unresolved contains {"fact": n.id, "message": sprintf("%s %s://%s may go unencrypted", [words[n.access], n.scheme, n.host])} if {
	some n in plain
	contains(n.host, "…")
	not lib.is_local(n.host)
}

words := {"send": "what is sent to", "fetch": "what is fetched from"}

plain contains n if {
	some n in input.network
	n.role == "source"
	not n.encrypted
	n.verification != "off"
	n.access != "named"
}
