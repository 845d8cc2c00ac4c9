package cabundle_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gitlab.com/lorehook/lorehook/internal/cabundle"
)

var now = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

// authority returns the PEM text of a self-signed certificate that is valid for
// ten days on both sides of the time, and of its key.
func authority(t *testing.T, name string, at time.Time) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: at.AddDate(0, 0, -10), NotAfter: at.AddDate(0, 0, 10),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}

func TestParse_AcceptsCertificatesOnly(t *testing.T) {
	one, key := authority(t, "one.example.com", now)
	two, _ := authority(t, "two.example.com", now)
	old, _ := authority(t, "old.example.com", now.AddDate(-1, 0, 0))
	future, _ := authority(t, "future.example.com", now.AddDate(1, 0, 0))
	join := func(parts ...[]byte) []byte {
		var all []byte
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	for name, c := range map[string]struct {
		text []byte
		n    int
		says string
	}{
		"one":               {one, 1, ""},
		"two":               {join(one, two), 2, ""},
		"text between them": {join([]byte("# ours\nsubject=/CN=one\n"), one, []byte("\n\n# theirs\n"), two, []byte("# end\n")), 2, ""},
		"carriage returns":  {[]byte(strings.ReplaceAll(string(one), "\n", "\r\n")), 1, ""},
		"nothing":           {nil, 0, "no certificate"},
		"a path":            {[]byte("/etc/ssl/ca.pem"), 0, "no certificate"},
		"a key":             {join(one, key), 0, `"PRIVATE KEY"`},
		"cut off":           {join(one, two[:len(two)-20]), 0, "after certificate 1 is cut off"},
		"cut off at once":   {one[:40], 0, "cut off"},
		"not a certificate": {pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}), 0, "certificate 1 is malformed"},
		"expired":           {join(one, old), 0, "certificate 2 (CN=old.example.com) is valid from 2025-05-22 to 2025-06-11 only"},
		"not yet valid":     {future, 0, "future.example.com"},
	} {
		got, err := cabundle.Parse(c.text, now)
		if c.says == "" {
			if err != nil || len(got) != c.n {
				t.Errorf("%s: %d certificates, %v; want %d", name, len(got), err, c.n)
			}
		} else if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v does not say %q", name, err, c.says)
		}
	}
}

// A server with a certificate of its own is trusted through the bundle, and not
// without it.
func TestReadFile_TrustsWhatIsInTheFile(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o644); err != nil {
		t.Fatal(err)
	}
	pool, err := cabundle.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	get := func(roots *x509.CertPool) error {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
		defer client.CloseIdleConnections()
		resp, err := client.Get(server.URL)
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	if err := get(pool); err != nil {
		t.Errorf("with the bundle: %v", err)
	}
	if err := get(nil); err == nil {
		t.Error("trusted without the bundle")
	}
}

func TestReadFile_NamesTheFileThatIsWrong(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ca.pem")
	if _, err := cabundle.ReadFile(file); err == nil || !strings.Contains(err.Error(), file) {
		t.Error(err)
	}
	if err := os.WriteFile(file, []byte("none"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := cabundle.ReadFile(file); err == nil || !strings.Contains(err.Error(), file) {
		t.Error(err)
	}
}
