"""Makes a JWKS and tokens, good and bad: tokens.py FOLDER CERTIFICATE. Prints one JSON object."""

import base64
import hashlib
import json
import sys
import time

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

keys = {
    "rsa": (rsa.generate_private_key(65537, 2048), "RS256"),
    "ec": (ec.generate_private_key(ec.SECP256R1()), "ES256"),
    "ed": (ed25519.Ed25519PrivateKey.generate(), "EdDSA"),
}
other = rsa.generate_private_key(65537, 2048)
certificate = x509.load_pem_x509_certificate(open(sys.argv[2], "rb").read())
der = certificate.public_bytes(serialization.Encoding.DER)
thumbprint = base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()
now = int(time.time())
claims = {"iss": "https://issuer.example", "aud": "lockgate", "sub": "ana", "exp": now + 600, "iat": now}


def token(key="rsa", signer=None, algorithm=None, headers=None, **changes):
    body = {k: v for k, v in (claims | changes).items() if v is not None}
    private, usual = keys[key]
    return jwt.encode(body, signer or private, algorithm or usual, headers={"kid": key} | (headers or {}))


def unsigned(algorithm):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': algorithm, 'kid': 'rsa'})}.{part(claims)}."


public = keys["rsa"][0].public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)


def confused():
    """HS256 with the public key as the secret."""
    import hmac

    def part(value):
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    text = part(json.dumps({"alg": "HS256", "kid": "rsa"}).encode()) + "." + part(json.dumps(claims).encode())
    return text + "." + part(hmac.new(public, text.encode(), hashlib.sha256).digest())


good = token()
tokens = {
    "good-rs256": good,
    "good-es256": token("ec"),
    "good-eddsa": token("ed"),
    "good-audiences": token(aud=["x", "lockgate"]),
    "good-bound": token(cnf={"x5t#S256": thumbprint}),
    "denied-nobody": token(sub="eve"),
    "bad-bound": token(cnf={"x5t#S256": thumbprint[::-1]}),
    "bad-bound-otherwise": token(cnf={"jkt": thumbprint}),
    "bad-critical": token(headers={"crit": ["x"], "x": 1}),
    "bad-proof": token(headers={"typ": "dpop+jwt"}),
    "bad-expired": token(exp=now - 120),
    "bad-not-yet": token(nbf=now + 600),
    "bad-issuer": token(iss="https://evil.example"),
    "bad-audience": token(aud="other"),
    "bad-no-subject": token(sub=None),
    "bad-no-end": token(exp=None),
    "bad-signer": token(signer=other),
    "bad-kid": token(headers={"kid": "unknown"}),
    "bad-algorithm": token(algorithm="RS512"),
    "bad-none": unsigned("none"),
    "bad-confused": confused(),
    "bad-changed": good[:-6] + ("AAAAAA" if good[-6:] != "AAAAAA" else "BBBBBB"),
    "bad-long": token(filler="x" * 9000),
    "bad-text": "not.a.token",
}
names = {"RS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}
jwks = []
for name, (private, algorithm) in keys.items():
    kind = jwt.get_algorithm_by_name(algorithm)
    jwks.append(json.loads(kind.to_jwk(private.public_key())) | {"kid": name, "alg": algorithm, "use": "sig"})
ends = now + 15
# For a workspace whose roles come from the claim "groups".
claimed = {
    "good-eve": token(sub="eve", groups=["service", "x"]),
    "denied-none": token(sub="ana"),
    "denied-empty": token(sub="ana", groups=[]),
    "denied-text": token(sub="ana", groups="service"),
    "denied-mixed": token(sub="ana", groups=["service", 7]),
}
weak = json.loads(jwt.get_algorithm_by_name("RS256").to_jwk(rsa.generate_private_key(65537, 1024).public_key()))
faulty = {
    "fewer than 2,048 bits": {"keys": [weak | {"kid": "weak"}]},
    "the same kid": {"keys": [jwks[0], jwks[0]]},
    "65 keys": {"keys": [jwks[0] | {"kid": str(n)} for n in range(65)]},
    "has no kid": {"keys": [{k: v for k, v in jwks[0].items() if k != "kid"}]},
    "no public key": {"keys": []},
    "cannot be read": [],
}
print(json.dumps({"jwks": {"keys": jwks}, "tokens": tokens, "claimed": claimed, "faulty": faulty, "short": token(exp=ends), "shortEnds": ends}))
