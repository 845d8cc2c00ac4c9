package gitlab_test

import (
	"crypto/x509"
	"net/http/httptest"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/gitlab"
	fakegitlab "gitlab.com/lorehook/lorehook/test/fake/gitlab"
)

// A self-managed GitLab may have a certificate of a private authority.
func TestClientFetch_TrustsTheConfiguredAuthorities(t *testing.T) {
	server := httptest.NewTLSServer(fakegitlab.New(fakegitlab.Options{Token: sampleToken}))
	t.Cleanup(server.Close)
	ref := fakegitlab.IssueRef(7)
	if _, err := newClient(t, server.URL).Fetch(t.Context(), ref); err == nil {
		t.Error("a certificate of an unknown authority was accepted")
	}
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	if _, err := newClient(t, server.URL, func(o *gitlab.Options) { o.RootCAs = roots }).Fetch(t.Context(), ref); err != nil {
		t.Error(err)
	}
}
