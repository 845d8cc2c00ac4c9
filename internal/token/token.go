// Package token defines what the tokens of webhooks and GitLab look like: it parses
// lists of them, and rejects a value that neither GitLab nor an operator can have
// meant as one. Its errors never contain any part of a value.
package token

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Lengths of tokens.
const (
	// minLength is the minimum in characters of a token that is sent in the clear.
	// GitLab's own have 20 or more; anything this short is a mistake or a guess away.
	minLength = 8
	// The Standard Webhooks specification allows keys of 24 to 64 bytes. GitLab's have
	// 32. With an empty key, anyone could sign.
	minKeyBytes, maxKeyBytes = 24, 64
)

// SigningPrefix begins every signing token.
const SigningPrefix = "whsec_"

// Unset is what the stack stores in a secret until an operator replaces it.
const Unset = "unset"

// List is a list of tokens as an operator writes it; see [ParseList].
type List []string

// First returns the first token, or "" if there is none.
func (l List) First() string {
	for _, t := range l {
		if t != "" {
			return t
		}
	}
	return ""
}

// UnmarshalText implements [encoding.TextUnmarshaler] with [ParseList].
func (l *List) UnmarshalText(text []byte) (err error) {
	*l, err = ParseList(string(text))
	return err
}

// ParseList parses a JSON list of strings, or a plain text, which is one token. A
// plain text with a comma is rejected: it could be one token or several. White space
// around a token is removed. A blank token in front of others stays in the list, empty,
// so that an error about one of those gives the place that the operator sees; those at
// the end are left out.
func ParseList(text string) (List, error) {
	text = strings.TrimSpace(text)
	tokens := []string{text}
	switch {
	case strings.HasPrefix(text, "["):
		tokens = nil
		if json.Unmarshal([]byte(text), &tokens) != nil {
			// The decoder's error is dropped, because it may quote a token.
			return nil, errors.New(`it starts with [ but is not a JSON list of strings, such as ["first","second"]`)
		}
	case strings.Contains(text, ","):
		return nil, errors.New(`it contains a comma: write several tokens, or one that contains a comma, as a JSON list, such as ["first","second"]`)
	}
	var list List
	for i, t := range tokens {
		if tokens[i] = strings.TrimSpace(t); tokens[i] != "" {
			list = tokens[:i+1]
		}
	}
	return list, nil
}

// Signing returns the key of a signing token: whsec_ and the base64 of 24 to 64 bytes.
func Signing(text string) (key []byte, err error) {
	encoded, ok := strings.CutPrefix(strings.TrimSpace(text), SigningPrefix)
	if !ok {
		return nil, fmt.Errorf("it does not start with %s, as GitLab's signing tokens do", SigningPrefix)
	}
	if key, err = base64.StdEncoding.DecodeString(encoded); err != nil {
		return nil, fmt.Errorf("what follows %s is not base64", SigningPrefix)
	}
	if n := len(key); n < minKeyBytes || n > maxKeyBytes {
		return nil, fmt.Errorf("its key has %d bytes, not %d to %d", n, minKeyBytes, maxKeyBytes)
	}
	return key, nil
}

// Secret returns a secret token, which GitLab sends in the clear, without the white
// space around it.
func Secret(text string) (string, error) { return plain(text, minLength) }

// Access returns an access token for GitLab without the white space around it.
func Access(text string) (string, error) {
	text, err := plain(text, minLength)
	if err == nil && strings.ContainsAny(text, " \t,;\"'`(){}[]<>") {
		return "", errors.New("it contains characters that no access token has, such as white space, quotes or commas")
	}
	return text, err
}

// Key returns an API key without the white space around it. Only its operator knows
// how long one is.
func Key(text string) (string, error) { return plain(text, 1) }

func plain(text string, atLeast int) (string, error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return "", errors.New("it is empty")
	case text == Unset:
		return "", errors.New("it is still the placeholder of the deployment: store the token")
	case wrapped(text):
		return "", errors.New("it is wrapped in quotes, brackets or braces: store only the token")
	case strings.Contains(text, SigningPrefix):
		return "", fmt.Errorf("it is a signing token (%s…), which is never sent: store it under signing_tokens", SigningPrefix)
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }):
		return "", errors.New("it contains characters that a header cannot carry")
	case len(text) < atLeast:
		return "", fmt.Errorf("it has %d characters, fewer than %d", len(text), atLeast)
	}
	return text, nil
}

func wrapped(text string) bool {
	first, last := text[0], text[len(text)-1]
	switch first {
	case '"', '\'', '`':
		return last == first
	case '[', '{':
		return last == first+2 // their closing characters in ASCII
	case '<':
		return last == '>'
	case '(':
		return last == ')'
	default:
		return false
	}
}
