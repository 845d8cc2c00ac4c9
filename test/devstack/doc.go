// Package devstack runs the project on one machine: the engines that storage
// tests use, and the whole stack, deployed from its own template onto a local
// AWS. Everything listens on 127.0.0.1 only.
//
// None of it runs on AWS.
package devstack
