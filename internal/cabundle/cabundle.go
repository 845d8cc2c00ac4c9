// Package cabundle reads the certificates of private authorities, for a GitLab
// whose certificate no public authority has signed.
package cabundle

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"time"
)

// Parse returns the certificates in PEM text; text around the blocks is ignored.
// It is an error if there is none, if one is malformed or not valid at now, or if
// the text holds anything else, such as a private key. Errors do not quote the
// text.
func Parse(text []byte, now time.Time) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		text = rest
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("it holds a block of type %q; only CERTIFICATE is allowed", block.Type)
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d is malformed: %w", len(all)+1, err)
		}
		if now.Before(certificate.NotBefore) || now.After(certificate.NotAfter) {
			return nil, fmt.Errorf("certificate %d (%s) is valid from %s to %s only", len(all)+1, certificate.Subject,
				certificate.NotBefore.Format(time.DateOnly), certificate.NotAfter.Format(time.DateOnly))
		}
		all = append(all, certificate)
	}
	switch {
	case bytes.Contains(text, []byte("-----BEGIN ")):
		return nil, fmt.Errorf("the block after certificate %d is cut off or malformed", len(all))
	case len(all) == 0:
		return nil, errors.New("it holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)")
	}
	return all, nil
}

// ReadFile returns the authorities that this machine trusts together with those in
// the file, or an error that names the file. A certificate that has expired since
// it was deployed is not an error: the others may still be valid.
func ReadFile(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the CA bundle: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("read the certificates of this machine: %w", err)
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("the CA bundle %s holds no certificate in PEM form", file)
	}
	return pool, nil
}
