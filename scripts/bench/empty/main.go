// Command empty is a Lambda function that does nothing: the floor of a cold start.
package main

import "github.com/aws/aws-lambda-go/lambda"

func main() { lambda.Start(func() {}) }
