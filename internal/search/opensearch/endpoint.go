package opensearch

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
)

// Endpoint is where OpenSearch listens.
type Endpoint struct {
	// URL has no path.
	URL string
	// Domain and Region are those of Amazon OpenSearch Service; both are empty for a
	// server on this machine, whose requests are not signed.
	Domain, Region string
}

// ParseEndpoint reads the URL of a domain of Amazon OpenSearch Service that is reachable
// from the internet, or of a server on this machine. The error says what to do instead, and
// has no password.
func ParseEndpoint(text string) (Endpoint, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return Endpoint{}, errors.New("it is not a URL such as https://search-NAME-ID.REGION.es.amazonaws.com")
	}
	if u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return Endpoint{}, fmt.Errorf("it has more than a host: use %s://%s", u.Scheme, u.Host)
	}
	e := Endpoint{URL: u.Scheme + "://" + u.Host}
	host := strings.ToLower(u.Hostname())
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() || host == "localhost" {
		return e, nil
	}
	switch {
	case u.Scheme != "https":
		return Endpoint{}, fmt.Errorf("http is not encrypted: use https://%s", u.Host)
	case strings.HasSuffix(host, ".aoss.amazonaws.com"):
		return Endpoint{}, fmt.Errorf("%s is a collection of OpenSearch Serverless, which is not supported: use a domain of Amazon OpenSearch Service", host)
	case strings.HasPrefix(host, "vpc-"):
		return Endpoint{}, fmt.Errorf("%s is only reachable within a VPC, where search and indexer are not: use a domain with a public endpoint", host)
	}
	for _, known := range []*regexp.Regexp{
		regexp.MustCompile(`^search-([a-z][a-z0-9-]{2,27})-[a-z0-9]{20,40}\.([a-z0-9-]+)\.es\.amazonaws\.com(?:\.cn)?$`),
		regexp.MustCompile(`^search-([a-z][a-z0-9-]{2,27})-[a-z0-9]{20,40}\.aos\.([a-z0-9-]+)\.on\.aws$`),
	} {
		if m := known.FindStringSubmatch(host); m != nil {
			e.Domain, e.Region = m[1], m[2]
			return e, nil
		}
	}
	return Endpoint{}, fmt.Errorf("%s is not the endpoint of a domain of Amazon OpenSearch Service, such as search-NAME-ID.REGION.es.amazonaws.com: use the one that the domain's page shows, not a custom one", host)
}
