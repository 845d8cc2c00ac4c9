package gitlab

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
)

// transportCause says why no response came, and returns the error to keep as the
// cause. It never quotes a URL; names and addresses of hosts are not secret.
func transportCause(err error) (string, error) {
	var (
		unknown     *net.DNSError
		certificate *tls.CertificateVerificationError
		authority   x509.UnknownAuthorityError
		hostname    x509.HostnameError
		invalid     x509.CertificateInvalidError
		alert       tls.AlertError
		plain       tls.RecordHeaderError
		op          *net.OpError
	)
	switch {
	case errors.As(err, &unknown) && unknown.IsNotFound:
		return fmt.Sprintf("the host %q is unknown (DNS); check GITLAB_BASE_URL", unknown.Name), unknown
	case errors.As(err, &unknown):
		return fmt.Sprintf("the host %q could not be resolved (DNS)", unknown.Name), unknown
	case errors.As(err, &authority):
		return "its certificate was not accepted, because its issuer is unknown; for a private CA, configure its certificates (gitlabCaBundle, for lore LOREHOOK_GITLAB_CA_FILE)", authority
	case errors.As(err, &hostname):
		return fmt.Sprintf("its certificate was not accepted, because it is not valid for the host %q; check GITLAB_BASE_URL", hostname.Host), hostname
	case errors.As(err, &invalid):
		return "its certificate was not accepted: " + invalid.Error(), invalid
	case errors.As(err, &certificate):
		return "its certificate was not accepted", certificate.Err
	case errors.As(err, &alert):
		return "it ended the TLS handshake: " + alert.Error(), alert
	case errors.Is(err, http.ErrSchemeMismatch), errors.As(err, &plain):
		return "it does not speak TLS; if it is reached without, GITLAB_BASE_URL has to start with http://", http.ErrSchemeMismatch
	case errors.As(err, &op) && op.Op == "proxyconnect":
		return "the configured HTTP proxy did not answer", op.Err
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the connection" + to(err) + " was refused", syscall.ECONNREFUSED
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "the connection" + to(err) + " was reset", syscall.ECONNRESET
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed before the response", io.ErrUnexpectedEOF
	case errors.As(err, &op):
		var number syscall.Errno
		if errors.As(err, &number) {
			return "the connection" + to(err) + " failed: " + number.Error(), number
		}
		return "the connection" + to(err) + " failed", nil
	default:
		return "there was no response", nil
	}
}

// to names the address that a connection was opened to, if the error knows it.
func to(err error) string {
	var op *net.OpError
	if errors.As(err, &op) && op.Addr != nil {
		return " to " + op.Addr.String()
	}
	return ""
}

// timeoutCause says what took too long.
func timeoutCause(err error) string {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" && !errors.Is(err, context.Canceled) {
		return "the connection" + to(err) + " could not be opened in time; is GitLab reachable from here?"
	}
	return "it did not answer in time"
}
