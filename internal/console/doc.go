// Package console shows the run ledger to operators: which runs are open, what
// failed and why, the stages of a run, and the lore command to run next. It is
// read-only.
//
// The same templates serve two front ends. [NewSite] returns the operations
// console of the local stack, which listens on loopback and has plain links.
// [Widget] is the Lambda function of a custom widget in a CloudWatch dashboard,
// whose links invoke the function again (cwdb-action). Neither needs JavaScript.
// Titles, messages and parameters are untrusted and always escaped.
package console
