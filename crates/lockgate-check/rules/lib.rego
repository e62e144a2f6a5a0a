# What rules share.
package lockgate.lib

import rego.v1

# Whether the location `s` lies within the pattern `p`.
within(p, s) if {
	provider_fits(p, s)
	glob.match(p.bucket, null, s.bucket)
	account_fits(p, s)
	key_fits(p, s)
}

# Whether a location of which a part is unknown may lie within the pattern.
may_be(p, s) if {
	not s.complete
	provider_fits(p, s)
	fits(p.bucket, s.bucket)
}

may_be(p, s) if {
	s.complete
	provider_fits(p, s)
	glob.match(p.bucket, null, s.bucket)
	account_fits(p, s)
	p.key != ""
	contains(s.key, "…")
	not key_fits(p, s)
	fits(p.key, s.key)
}

# Whether a text with unknown parts may be one of a pattern: of what both start with, one is the
# start of the other.
fits(pattern, text) if startswith(regex.split(`[*?\[{]`, pattern)[0], split(text, "…")[0])

fits(pattern, text) if startswith(split(text, "…")[0], regex.split(`[*?\[{]`, pattern)[0])

provider_fits(p, s) if p.provider == s.provider

provider_fits(p, _) if p.provider == "any"

provider_fits(_, s) if s.provider == "any"

# A container whose account is not known may be that of the pattern.
account_fits(p, _) if p.account == ""

account_fits(_, s) if s.account == ""

account_fits(p, s) if glob.match(p.account, null, s.account)

key_fits(p, _) if p.key == ""

key_fits(p, s) if glob.match(p.key, null, s.key)

key_fits(p, s) if startswith(s.key, concat("", [p.key, "/"]))

key_fits(p, s) if s.key == p.key

# A host of this machine or of the cluster's own network.
is_local(host) if regex.match(`^(localhost|127\.[0-9.]+|0\.0\.0\.0|\[::1\])(:.*)?$`, host)

is_local(host) if regex.match(`^[^.…]+(:[0-9]+)?$`, host)

# What a cloud tells a machine of itself.
is_local(host) if regex.match(`^169\.254\.[0-9]+\.[0-9]+(:.*)?$`, host)

is_local(host) if regex.match(`\.(local|internal|localhost|svc)(:[0-9]+)?$`, host)

# A workload in words.
workload(w) := sprintf("%s %s", [w.kind, w.name]) if w.name != ""

workload(w) := w.kind if w.name == ""
