package main

// gitlabMutations break what counts as GitLab's word, and what a failed request means.
func gitlabMutations() []mutation {
	const pages, authentic, failure, link, cause, transport, fetch, projects, request = "internal/gitlab/pages.go", "internal/gitlab/authentic.go", "internal/gitlab/failure.go", "internal/gitlab/link.go", "internal/gitlab/cause.go", "internal/gitlab/transport.go", "internal/gitlab/fetch.go", "internal/gitlab/projects.go", "internal/gitlab/request.go"
	answers := []suite{{name: "answers", args: []string{"./internal/gitlab", "-run", "TestClient|TestNextLink|TestFollow|TestNewTransport"}}}
	requests := []suite{{name: "requests", args: []string{"./internal/gitlab", "-run", "TestRequester|TestNextPlace|TestAuthentic"}}}
	return []mutation{
		{"gitlab: a refusal in anybody's JSON is believed", []edit{{authentic, "\t}, fromGitLab(status, code, message)\n", "\t}, fromGitLab(status, code, message) || body[0] == '{'\n"}}, answers},
		{"gitlab: a page of something in front of GitLab is believed", []edit{{authentic, "\tif !ok {\n", "\tif !ok && isJSON(resp.Header) {\n"}}, answers},
		{"gitlab: a 401 in anybody's JSON is believed", []edit{{authentic, "strings.HasPrefix(message, \"401 Unauthorized\") ||", "true ||"}}, answers},
		{"gitlab: any 403 in a message is believed", []edit{{authentic, "strings.HasPrefix(message, \"403 Forbidden\") ||", "message != \"\" ||"}}, answers},
		{"gitlab: any 404 in a message is believed", []edit{{authentic, "strings.HasPrefix(message, \"404 \") && (", "message != \"\" || ("}}, answers},
		{"gitlab: a refused token is a refused entity", []edit{{failure, "case status == http.StatusForbidden && said.tokenReason != \"\":", "case status == 0:"}}, answers},
		{"gitlab: a router without the endpoint speaks for an entity", []edit{{fetch, "\t\tcase errors.Is(err, errNoRoute):\n\t\t\terr = notGitLab(ref.String())\n", ""}}, answers},
		{"gitlab: a router without the endpoint speaks for a project", []edit{{projects, "if errors.Is(err, errNoRoute) {", "if errors.Is(nil, errNoRoute) {"}}, answers},
		{"gitlab: a missing list is a missing entity", []edit{{fetch, "case snap.Entity != nil: // the", "case snap.Entity != nil && false: // the"}}, answers},
		{"gitlab: what a proxy says about waiting is not heard", []edit{{authentic, "\t\te.RetryAfter = retryAfter(resp.Header, g.clock())\n", ""}}, answers},
		{"gitlab: an entity's own failure is hidden by a list's", []edit{{failure, "case e.Code == surgical.CodeGitLabNotFound:\n\t\treturn 3", "case e.Code == surgical.CodeGitLabNotFound:\n\t\treturn 8"}}, answers},
		{"gitlab: a Link header reaches the official client as it is", []edit{{link, "\treadableLink(resp.Header, req.URL)\n", ""}}, requests},
		{"gitlab: a project's path is several segments", []edit{{request, "address := r.root + \"/\" + path\n", "address := r.root + \"/\" + strings.ReplaceAll(path, \"%2F\", \"/\")\n"}}, requests},
		{"gitlab: a dot begins the extension of a format", []edit{{request, "strings.ReplaceAll(url.PathEscape(name), \".\", \"%2E\")", "strings.ReplaceAll(url.PathEscape(name), \".\", \".\")"}}, requests},
		{"gitlab: a base URL that names the API is extended", []edit{{request, "strings.TrimSuffix(base.String(), apiPath) + apiPath", "strings.TrimSuffix(base.String(), \"/\") + apiPath"}}, requests},
		{"gitlab: a token is read before the wait", []edit{{request, "\tif err := r.limiter.Wait(ctx); err != nil {\n\t\treturn nil, err\n\t}\n", ""}, {request, "\treq.Header.Set(\"Private-Token\"", "\tif err := r.limiter.Wait(ctx); err != nil {\n\t\treturn nil, err\n\t}\n\treq.Header.Set(\"Private-Token\""}}, requests},
		{"gitlab: a request does not wait for the rate limit", []edit{{request, "if err := r.limiter.Wait(ctx); err != nil {", "if err := ctx.Err(); err != nil {"}}, requests},
		{"gitlab: a body is not closed", []edit{{request, "\tdefer resp.Body.Close()\n", ""}}, requests},
		{"gitlab: the connection of an error is not used again", []edit{{request, "\t\t_, _ = io.Copy(io.Discard, resp.Body)\n", ""}}, requests},
		{"gitlab: an error's body is taken for what was requested", []edit{{request, "if !succeeded(resp.StatusCode) {", "if resp.StatusCode < 0 {"}}, requests},
		{"gitlab: the next page is the current one", []edit{{pages, "numberOf(resp.header, \"X-Next-Page\")", "numberOf(resp.header, \"X-Page\")"}}, requests},
		{"gitlab: a cursor loses what follows a semicolon", []edit{{pages, "strings.ReplaceAll(link.RawQuery, \";\", \"%3B\")", "strings.ReplaceAll(link.RawQuery, \";\", \";\")"}}, requests},
		{"gitlab: a link to something else is the next page", []edit{{link, "path.Base(target.Path) == path.Base(requested.Path) && ", "path.Base(target.Path) != \"\" && "}}, answers},
		{"gitlab: a link is cut at a comma in quotes", []edit{{link, "quoted = !quoted", "quoted = quoted && false"}}, answers},
		{"gitlab: a failed connection has no cause", []edit{{failure, "text, cause := transportCause(err)\n", "text, cause := \"there was no response\", error(nil)\n"}}, answers},
		{"gitlab: a proxy's failure is taken for GitLab's", []edit{{cause, "return errors.As(err, &op) && op.Op == \"proxyconnect\"", "return errors.As(err, &op) && op.Op == \"\""}}, answers},
		{"gitlab: a timeout says nothing about the connection", []edit{{cause, "case op == nil || op.Op != \"dial\" ||", "case op == nil || op.Op == \"dial\" ||"}}, answers},
		{"gitlab: the token is sent to another host", []edit{{transport, "case !baseurl.SameOrigin(req.URL, base):", "case !baseurl.SameOrigin(req.URL, base) && base == nil:"}}, answers},
		{"gitlab: a redirect to https is tried again for hours", []edit{{transport, "e.Action, e.Retryable = surgical.ActionContactOperator, false", "e.Action = surgical.ActionContactOperator"}}, answers},
		{"gitlab: a list that ends by a cursor is complete", []edit{{pages, "total := r.total(); !r.listing.filtered && total > r.count()", "total := r.total(); !r.listing.filtered && last.place.cursor == \"\" && total > r.count()"}}, answers},
		{"gitlab: what is not a record fails its entity", []edit{{pages, "\t\t\tcontinue\n\t\t}\n\t\tp.children", "\t\t\treturn page{}, notJSON(what, resp)\n\t\t}\n\t\tp.children"}}, answers},
		{"gitlab: what is not a record is missing in the count", []edit{{pages, "r.more += p.records - len(p.children)\n", ""}}, answers},
		{"gitlab: two equal records without an id are one", []edit{{pages, "\t\t\t\tr.more++\n", ""}}, answers},
		{"gitlab: a list is read without end", []edit{{"internal/gitlab/walk.go", "if s.page*int64(s.size) >= surgical.MaxOffset {", "if s.page < 0 {"}}, answers},
		{"gitlab: a proxy that refuses is not named", []edit{{transport, "if answer.StatusCode == http.StatusOK {", "if answer != nil {"}}, answers},
	}
}
