# METADATA
# scope: package
# title: Public storage
# description: Everybody on the internet may read it, or write to it and poison what is trained on it. Staging areas count as much as the rest.
# custom:
#   severity: high
#   fix: Block public access on the bucket and grant access to named identities.
#   references:
#     - CWE-732
#     - MITRE ATLAS AML.T0020
#     - MITRE ATLAS AML.T0036
#     - SOC 2 CC6.6
#     - "OWASP ML02:2023"
package lockgate.check.public_storage

import rego.v1

deny contains {"fact": b.id, "message": sprintf("%s is open to the public: %s", [b.address, concat(", ", b.because)])} if {
	some b in input.buckets
	b.role == "source"
	b.public == "yes"
}
