# METADATA
# scope: package
# title: Secret in an image
# description: What a Dockerfile sets stays in the image's layers and history, for everybody who can pull it.
# custom:
#   severity: high
#   fix: 'Mount it while building (`RUN --mount=type=secret`) and give it to the container when it runs.'
#   references:
#     - CWE-522
#     - CWE-798
#     - MITRE ATLAS AML.T0055
#     - SOC 2 CC6.1
package lockgate.check.secret_in_image

import rego.v1

deny contains {"fact": c.id, "message": sprintf("`%s` is written into the image (%s)", [c.name, c.hint])} if {
	some c in input.credentials
	c.how == "image"
	c.strength in {"literal", "format"}
	c.role == "source"
}
