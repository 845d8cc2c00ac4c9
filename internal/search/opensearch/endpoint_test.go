package opensearch_test

import (
	"strings"
	"testing"

	"gitlab.com/lorehook/lorehook/internal/search/opensearch"
)

func TestParseEndpoint(t *testing.T) {
	const id = "abcdefghij0123456789klmnop"
	for text, want := range map[string]opensearch.Endpoint{
		"https://search-lore-" + id + ".eu-central-1.es.amazonaws.com":  {URL: "https://search-lore-" + id + ".eu-central-1.es.amazonaws.com", Domain: "lore", Region: "eu-central-1"},
		"https://search-my-lore-" + id + ".us-east-1.es.amazonaws.com/": {URL: "https://search-my-lore-" + id + ".us-east-1.es.amazonaws.com", Domain: "my-lore", Region: "us-east-1"},
		"https://search-lore-" + id + ".cn-north-1.es.amazonaws.com.cn": {URL: "https://search-lore-" + id + ".cn-north-1.es.amazonaws.com.cn", Domain: "lore", Region: "cn-north-1"},
		"https://search-lore-" + id + ".aos.eu-west-1.on.aws":           {URL: "https://search-lore-" + id + ".aos.eu-west-1.on.aws", Domain: "lore", Region: "eu-west-1"},
		"http://127.0.0.1:9200":  {URL: "http://127.0.0.1:9200"},
		"http://localhost:9200/": {URL: "http://localhost:9200"},
		"https://[::1]:9200":     {URL: "https://[::1]:9200"},
	} {
		if got, err := opensearch.ParseEndpoint(text); err != nil || got != want {
			t.Errorf("%s: got %+v, %v", text, got, err)
		}
	}
	for text, says := range map[string]string{
		"":                  "is not a URL",
		"search-lore-" + id: "is not a URL",
		"ftp://example.com": "is not a URL",
		"http://search-lore-" + id + ".eu-central-1.es.amazonaws.com":               "use https://",
		"https://search-lore-" + id + ".eu-central-1.es.amazonaws.com/_search":      "more than a host",
		"https://me:secret@search-lore-" + id + ".eu-central-1.es.amazonaws.com":    "more than a host",
		"https://" + id + ".eu-central-1.aoss.amazonaws.com":                        "OpenSearch Serverless",
		"https://vpc-lore-" + id + ".eu-central-1.es.amazonaws.com":                 "within a VPC",
		"https://opensearch.example.com":                                            "not the endpoint of a domain",
		"https://search-lore-" + id + ".eu-central-1.es.amazonaws.com.evil.example": "not the endpoint of a domain",
	} {
		if got, err := opensearch.ParseEndpoint(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %+v, %v", text, got, err)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the message has the password: %v", text, err)
		}
	}
}
