// Package devstack runs the project on one machine: the engines that storage
// tests use, and the whole stack, deployed from its own template onto a local
// AWS. Everything listens on 127.0.0.1 alone.
//
// Nothing here is part of what runs on AWS.
package devstack
