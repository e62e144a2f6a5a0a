"""Serves a folder over TLS to clients with a certificate: tls_server.py FOLDER MIN_VERSION

Writes ca.pem, other-ca.pem and client.pem (certificate and key) to the folder's parent, prints the port."""
import datetime, http.server, ipaddress, ssl, sys
from pathlib import Path
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

folder, home = Path(sys.argv[1]), Path(sys.argv[1]).parent
NOW = datetime.datetime.now(datetime.timezone.utc)


def name(text):
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def issue(subject, issuer, issuer_key, is_ca):
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name(issuer)).public_key(key.public_key())
               .serial_number(x509.random_serial_number()).not_valid_before(NOW - datetime.timedelta(hours=1))
               .not_valid_after(NOW + datetime.timedelta(days=1))
               .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True))
    if not is_ca:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
    return builder.sign(issuer_key or key, hashes.SHA256()), key


def pem(certificate, key=None):
    text = certificate.public_bytes(serialization.Encoding.PEM)
    if key:
        text += key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return text


ca, ca_key = issue("test ca", "test ca", None, True)
(home / "ca.pem").write_bytes(pem(ca))
(home / "other-ca.pem").write_bytes(pem(issue("other ca", "other ca", None, True)[0]))
(home / "client.pem").write_bytes(pem(*issue("client", "test ca", ca_key, False)))
(home / "server.pem").write_bytes(pem(*issue("server", "test ca", ca_key, False)))

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(home / "server.pem")
context.load_verify_locations(home / "ca.pem")
context.verify_mode = ssl.CERT_REQUIRED
if sys.argv[2] == "1.2":
    context.maximum_version = ssl.TLSVersion.TLSv1_2


class Handler(http.server.SimpleHTTPRequestHandler):
    def __init__(self, *args):
        super().__init__(*args, directory=folder)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
