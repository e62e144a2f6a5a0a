# METADATA
# scope: package
# title: Unencrypted storage
# description: Whoever gets at the medium or at a copy of it can read the data.
# custom:
#   severity: medium
#   fix: Turn on encryption with a key that you manage.
#   references:
#     - CWE-311
#     - SOC 2 CC6.1
#     - NIST AI RMF MANAGE 2.4
package lockgate.check.unencrypted_storage

import rego.v1

deny contains {"fact": b.id, "message": sprintf("%s is not encrypted: %s", [b.address, concat(", ", b.because)])} if {
	some b in input.buckets
	b.role == "source"
	b.encrypted == "no"
}
