package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

// sign gives this process credentials, or none, for a server that stands for AWS.
func sign(t *testing.T, answer http.HandlerFunc, environment map[string]string) {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "") // restores it in the end
			os.Unsetenv(name)
		}
	}
	t.Setenv("AWS_ENDPOINT_URL", server.URL)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	for name, value := range environment {
		t.Setenv(name, value)
	}
}

func TestCheck_SaysHowToSignIn(t *testing.T) {
	refused := func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredToken</Code><Message>expired</Message></Error></ErrorResponse>`)
	}
	for name, environment := range map[string]map[string]string{
		"none":    nil,
		"expired": signedIn,
	} {
		t.Run(name, func(t *testing.T) {
			sign(t, refused, environment)
			err := check(t.Context())
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range []string{"aws sso login", "export AWS_PROFILE=", "AWS_REGION=", "aws sts get-caller-identity"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("it does not say %q: %v", want, err)
				}
			}
		})
	}
}

// signedIn are credentials that nothing refuses before a request.
var signedIn = map[string]string{"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}

func accept(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprint(w, `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`)
}

func TestCheck_AcceptsWhatAWSAccepts(t *testing.T) {
	sign(t, accept, signedIn)
	if err := check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestCheck_TriesThreeTimes(t *testing.T) {
	tries := 0
	sign(t, func(w http.ResponseWriter, r *http.Request) {
		if tries++; tries < 3 {
			drop(w, r)
			return
		}
		accept(w, r)
	}, signedIn)
	if err := check(t.Context()); err != nil {
		t.Errorf("after %d tries: %v", tries, err)
	}
}

// Nobody has to sign in again because a network is down.
func TestCheck_DoesNotAskForASignInIfAWSCannotBeReached(t *testing.T) {
	sign(t, drop, signedIn)
	if err := check(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "AWS cannot be reached: ") || strings.Contains(err.Error(), "sso login") {
		t.Errorf("it says %v", err)
	}
}

// drop closes the connection without an answer.
func drop(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// Compiling takes a minute, after which a missing sign-in is a bad surprise.
func TestMake_ChecksCredentialsBeforeItBuilds(t *testing.T) {
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"deploy", "destroy"} {
		_, rest, found := strings.Cut(string(makefile), "\n"+target+": ")
		if first, _, _ := strings.Cut(rest, " "); !found || first != "signed-in" {
			t.Errorf("make %s begins with %s", target, first)
		}
	}
}
