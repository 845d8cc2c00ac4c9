// Package delivery says of a webhook delivery who sent it ([Verifier]) and which
// entity it concerns ([Classify]).
//
// A payload is a hint, never a source: it names an entity, which is then
// fetched. So only ids are decoded, and these as loosely as GitLab sends them.
//
// It stands apart from package gitlab because that links GitLab's client, which
// would slow every cold start of the webhook.
package delivery
