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
// cause. It never quotes a URL; names and addresses of hosts are not secret. If a
// proxy is configured and did not answer, all of it is about the proxy.
func transportCause(err error) (string, error) {
	if toProxy(err) {
		text, _, cause := peerCause(err)
		return "the configured HTTP proxy did not answer: " + text, cause
	}
	text, advice, cause := peerCause(err)
	return text + advice, cause
}

// toProxy reports whether the connection that failed leads to a proxy.
func toProxy(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "proxyconnect"
}

// peerCause says what went wrong between here and the peer, which is GitLab or a
// proxy, and what to do about it if the peer is GitLab.
func peerCause(err error) (text, advice string, cause error) {
	var (
		unknown     *net.DNSError
		certificate *tls.CertificateVerificationError
		authority   x509.UnknownAuthorityError
		hostname    x509.HostnameError
		invalid     x509.CertificateInvalidError
		alert       tls.AlertError
		plain       tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &unknown) && unknown.IsNotFound:
		return fmt.Sprintf("the host %q is unknown (DNS)", unknown.Name), "; check GITLAB_BASE_URL", unknown
	case errors.As(err, &unknown):
		return fmt.Sprintf("the host %q could not be resolved (DNS)", unknown.Name), "", unknown
	case errors.As(err, &authority):
		return "its certificate was not accepted, because its issuer is unknown; for a private CA, configure its certificates (gitlabCaBundle, for lore LOREHOOK_GITLAB_CA_FILE)", "", authority
	case errors.As(err, &hostname):
		return fmt.Sprintf("its certificate was not accepted, because it is not valid for the host %q", hostname.Host), "; check GITLAB_BASE_URL", hostname
	case errors.As(err, &invalid):
		return "its certificate was not accepted: " + invalid.Error(), "", invalid
	case errors.As(err, &certificate):
		return "its certificate was not accepted", "", certificate.Err
	case errors.As(err, &alert):
		return "it ended the TLS handshake: " + alert.Error(), "", alert
	case errors.Is(err, http.ErrSchemeMismatch), errors.As(err, &plain):
		return "it does not speak TLS", "; if it is reached without, GITLAB_BASE_URL has to start with http://", http.ErrSchemeMismatch
	default:
		text, cause := connectionCause(err)
		return text, "", cause
	}
}

// connectionCause is [peerCause] for what fails below TLS.
func connectionCause(err error) (string, error) {
	var (
		number syscall.Errno
		op     *net.OpError
	)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the connection" + to(err) + " was refused", syscall.ECONNREFUSED
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "the connection" + to(err) + " was reset", syscall.ECONNRESET
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed before the response", io.ErrUnexpectedEOF
	case errors.As(err, &op) && errors.As(err, &number):
		return "the connection" + to(err) + " failed: " + number.Error(), number
	case errors.As(err, &op):
		return "the connection" + to(err) + " failed", nil
	default:
		return "there was no response", nil
	}
}

// to names the address that a connection was opened to, if the error knows it.
func to(err error) string {
	if op := dialed(err); op != nil && op.Addr != nil {
		return " to " + op.Addr.String()
	}
	return ""
}

// dialed returns the innermost failure of a connection, or nil. That of a proxy's
// is within one without an address.
func dialed(err error) (innermost *net.OpError) {
	var op *net.OpError
	for errors.As(err, &op) {
		innermost, err, op = op, op.Err, nil
	}
	return innermost
}

// timeoutCause says what took too long.
func timeoutCause(err error) string {
	op := dialed(err)
	switch {
	case op == nil || op.Op != "dial" || errors.Is(err, context.Canceled):
		return "it did not answer in time"
	case toProxy(err):
		return "the connection to the configured HTTP proxy could not be opened in time"
	default:
		return "the connection" + to(err) + " could not be opened in time; is GitLab reachable from here?"
	}
}
