# METADATA
# scope: package
# title: Package without a fixed version
# description: A new release, or one that somebody smuggled in, runs without review.
# custom:
#   severity: low
#   fix: Pin the version, best with hashes or a lock file.
#   references:
#     - CWE-1357
#     - MITRE ATLAS AML.T0010
#     - SOC 2 CC8.1
#     - "OWASP ML06:2023"
package lockgate.check.unpinned_package

import rego.v1

deny contains {"fact": p.id, "message": sprintf("%s%s has no fixed version", [p.name, p.version])} if {
	some p in input.packages
	p.role == "source"
	not p.pinned
	not contains(p.version, "…")
}
