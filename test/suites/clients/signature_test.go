package clients

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

const (
	region       = "eu-central-1"
	accessKey    = "AKIDEXAMPLE"
	secretKey    = "not-a-real-secret"
	sessionToken = "not-a-real-session"
)

// checkSignature signs the request anew, with AWS's own signer for Go, and compares.
func checkSignature(r *http.Request) error {
	authorization := r.Header.Get("Authorization")
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil {
		return fmt.Errorf("%s %s has no date of a signature: %w", r.Method, r.URL, err)
	}
	if age := time.Since(at).Abs(); age > 5*time.Minute {
		return fmt.Errorf("the signature is %s old", age)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	again, err := http.NewRequestWithContext(r.Context(), r.Method, "http://"+r.Host+r.RequestURI, http.NoBody)
	if err != nil {
		return err
	}
	_, rest, _ := strings.Cut(authorization, "SignedHeaders=")
	names, _, _ := strings.Cut(rest, ",")
	for name := range strings.SplitSeq(names, ";") {
		switch name {
		case "host", "authorization":
		default:
			again.Header.Set(name, r.Header.Get(name))
		}
	}
	sum := sha256.Sum256(body)
	key := aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey, SessionToken: sessionToken}
	if err := v4.NewSigner().SignHTTP(r.Context(), key, again, hex.EncodeToString(sum[:]), "execute-api", region, at); err != nil {
		return err
	}
	if want := again.Header.Get("Authorization"); spaceless(authorization) != spaceless(want) {
		return fmt.Errorf("%s %s is signed with\n%s, want\n%s", r.Method, r.URL, authorization, want)
	}
	return nil
}

// spaceless makes signers comparable that put a space after a comma and those that do not.
func spaceless(authorization string) string { return strings.ReplaceAll(authorization, ", ", ",") }
