# METADATA
# scope: package
# title: Certificates are not verified
# description: Anybody on the way can read and change what is sent, credentials and training data included.
# custom:
#   severity: high
#   fix: Verify certificates; for a private authority, name its certificate instead of turning verification off.
#   references:
#     - CWE-295
#     - MITRE ATLAS AML.T0020
#     - SOC 2 CC6.7
package lockgate.check.tls_verification

import rego.v1

deny contains {"fact": n.id, "message": sprintf("`%s` turns the verification of certificates off", [n.sink])} if {
	some n in input.network
	n.role == "source"
	n.verification == "off"
}
