package main

// hookMutations break who may deliver, which token is one, and what a delivery means.
func hookMutations() []mutation {
	const token, signature, tokens, header, classify = "internal/token/token.go", "internal/webhook/delivery/signature.go", "internal/webhook/delivery/tokens.go", "internal/webhook/delivery/header.go", "internal/webhook/delivery/classify.go"
	parses := []suite{{name: "tokens", args: []string{"./internal/token", "./internal/webhook/..."}}}
	deliveries := []suite{{name: "deliveries", args: []string{"./internal/webhook/..."}}}
	return []mutation{
		{"token: a plain text with a comma is one token", []edit{{token, "case strings.Contains(text, \",\"):", "case strings.Contains(text, \",,\"):"}}, parses},
		{"token: what begins like a list is a token", []edit{{token, "case strings.HasPrefix(text, \"[\"):", "case strings.HasPrefix(text, \"[[\"):"}}, parses},
		{"token: blank tokens change the places of others", []edit{{token, "list = tokens[:i+1]", "list = append(list, tokens[i])"}}, parses},
		{"token: a key of any length signs", []edit{{token, "if n := len(key); n < minKeyBytes || n > maxKeyBytes {", "if n := len(key); n < 0 {"}}, parses},
		{"token: a signing token without its prefix is one", []edit{{token, "\tif !ok {\n\t\treturn nil, fmt.Errorf(\"it does not start", "\tif !ok && encoded == \"\" {\n\t\treturn nil, fmt.Errorf(\"it does not start"}}, parses},
		{"token: the placeholder is a token", []edit{{token, "case text == Unset:", "case text == \"\":"}, {token, "\tcase text == \"\":\n\t\treturn \"\", errors.New(\"it is empty\")\n", ""}}, parses},
		{"token: a wrapped token is one", []edit{{token, "case wrapped(text):", "case wrapped(text) && false:"}}, parses},
		{"token: a signing token is sent in the clear", []edit{{token, "case strings.Contains(text, SigningPrefix):", "case text == SigningPrefix:"}}, parses},
		{"token: a short token is one", []edit{{token, "case len(text) < atLeast:", "case len(text) < 0:"}}, parses},
		{"token: a token may break a header", []edit{{token, "return r < ' ' || r > '~'", "return r < 0"}}, parses},
		{"token: an access token may have a scheme before it", []edit{{token, "if err == nil && strings.ContainsAny(", "if err != nil && strings.ContainsAny("}}, parses},
		{"webhook: a buffer is lent again while its body is read", []edit{{"internal/webhook/handler.go", "\tdefer h.buffers.giveBack(buffer)\n", "\th.buffers.giveBack(buffer)\n"}}, deliveries},
		{"gateway: of a header in two spellings one is lost", []edit{{"internal/function/gateway/gateway.go", "\t\tif h[name] != nil {\n\t\t\treturn sortedHeader(sent)\n\t\t}\n", ""}}, []suite{{name: "events", args: []string{"./internal/function/gateway"}}}},
		{"delivery: a signature of any time counts", []edit{{signature, "seconds < at-limit || seconds > at+limit", "seconds < at-limit && seconds > at+limit"}}, deliveries},
		{"delivery: a signature from the future counts", []edit{{signature, "seconds < at-limit || seconds > at+limit", "seconds < at-limit"}}, deliveries},
		{"delivery: a signed delivery may be accepted for its token", []edit{{signature, "\tif Signed(h) {\n\t\treturn v.verifySignature(h, body, now)\n\t}\n", "\tif Signed(h) && v.verifySignature(h, body, now) == nil {\n\t\treturn nil\n\t}\n"}}, deliveries},
		{"delivery: without tokens everything is accepted", []edit{{signature, "\t\treturn ErrNoTokens\n", "\t\treturn nil\n"}}, deliveries},
		{"delivery: only the last of several tokens counts", []edit{{signature, "match |= subtle", "match = subtle"}}, deliveries},
		{"delivery: a token that a proxy doubled is refused", []edit{{signature, "if !v.knows(sent) && !v.knows(once(sent)) {", "if !v.knows(sent) {"}}, deliveries},
		{"delivery: a token that looks like two copies is refused", []edit{{signature, "if !v.knows(sent) && !v.knows(once(sent)) {", "if !v.knows(once(sent)) {"}}, deliveries},
		{"delivery: only the first of several signatures counts", []edit{{signature, "found = append(found, parts[i])", "found = append(found[:0], parts[i])"}}, deliveries},
		{"delivery: a signature without the body counts", []edit{{signature, "\t_, _ = mac.Write(body)\n", ""}}, deliveries},
		{"delivery: a signature of another version counts", []edit{{signature, "if parts[i-1] == \"v1\" {", "if parts[i-1] != \"\" {"}}, deliveries},
		{"delivery: one malformed token takes the others down", []edit{{tokens, "if len(v.signing)+len(v.secrets) == 0 && len(v.defects) > 0 {", "if len(v.defects) > 0 {"}}, deliveries},
		{"delivery: a token that cannot be used is not named", []edit{{tokens, "func (v *Verifier) Defects() error { return errors.Join(v.defects...) }", "func (v *Verifier) Defects() error { return errors.Join() }"}}, deliveries},
		{"delivery: a member under an unknown name is taken for none", []edit{{tokens, "\t\tv.reject(errors.New(\"a member is called neither \" + signingMember + \" nor \" + secretMember))\n", ""}}, deliveries},
		{"delivery: different copies of a header are the first one", []edit{{header, "if copied := strings.TrimSpace(joined[:i]); repeats(joined, copied) {", "if copied := strings.TrimSpace(joined[:i]); repeats(joined, copied) || len(copied) > 0 {"}}, deliveries},
		{"delivery: the hook's name counts more than the payload", []edit{{classify, "\t\tif kind := spelling(payload.Text(member)); kind != \"\" {", "\t\tif kind := spelling(payload.Text(member)); kind != \"\" && hook == \"\" {"}}, deliveries},
		{"delivery: a hook in another spelling is unknown", []edit{{classify, "\t\tcase 'A' <= r && r <= 'Z':\n\t\t\treturn r - 'A' + 'a'\n", ""}}, deliveries},
		{"delivery: of several hooks the last one counts", []edit{{classify, "\t\tcase named != kind:\n\t\t\treturn ambiguous\n", "\t\tcase named != kind:\n\t\t\tkind = named\n"}}, deliveries},
		{"delivery: a fork's merge request belongs to the fork", []edit{{classify, "if id := idOf(mergeRequest, \"target_project_id\"); id > 0 {", "if id := idOf(mergeRequest, \"source_project_id\"); id > 0 {"}}, deliveries},
		{"delivery: an epic is an issue", []edit{{classify, "\tif strings.EqualFold(attributes.Text(\"type\"), \"epic\") {\n", "\tif attributes.Text(\"type\") == \"?\" {\n"}}, deliveries},
		{"delivery: an internal note can be seen by any token", []edit{{classify, "if note.Flag(\"internal\") || note.Flag(\"confidential\") {", "if note.Flag(\"?\") {"}}, deliveries},
		{"delivery: a merge request can be confidential", []edit{{classify, "typ == surgical.Issue && entity.Flag(\"confidential\")", "entity.Flag(\"confidential\")"}}, deliveries},
	}
}
