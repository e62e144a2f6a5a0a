# METADATA
# scope: package
# title: Image without a fixed version
# description: What runs tomorrow is not what was reviewed today, and whoever can push the tag decides it.
# custom:
#   severity: medium
#   fix: 'Name the digest: `image@sha256:...`, or at least a version that does not move.'
#   references:
#     - CWE-1357
#     - MITRE ATLAS AML.T0010
#     - SOC 2 CC8.1
#     - "OWASP ML06:2023"
package lockgate.check.unpinned_image

import rego.v1

deny contains {"fact": i.id, "message": sprintf("%s has no fixed version", [name(i)])} if {
	some i in input.images
	i.role == "source"
	i.digest == ""
	moves(i.tag)
	i.name != "scratch"
	not contains(i.name, "…")
}

# Tags that are moved to the newest image.
moves(tag) if tag in {"", "latest", "stable", "main", "master", "nightly", "edge"}

name(i) := i.name if i.tag == ""

name(i) := sprintf("%s:%s", [i.name, i.tag]) if i.tag != ""
