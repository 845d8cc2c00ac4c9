package main

// awsMutations break the calls of AWS that have no generated client.
func awsMutations() []mutation {
	const client, protocol, queues, functions, partitions = "internal/awsapi/client.go", "internal/awsapi/json.go", "internal/awsapi/sqs.go", "internal/awsapi/lambda.go", "internal/awsapi/partition.go"
	calls := []suite{{name: "calls", args: []string{"./internal/awsapi"}}}
	consumer := []suite{{name: "consumer", args: []string{"./internal/queue"}}}
	secrets := []suite{{name: "secrets", args: []string{"./internal/function/secret"}}}
	return []mutation{
		{"aws: a path is signed without its slash", []edit{{protocol, "\t\treq.URL.Path = \"/\" // which is signed\n", ""}}, calls},
		{"aws: a request is sent without a signature if there are no credentials", []edit{{client, "\t\treturn fmt.Errorf(\"credentials: %w\", err)\n", "\t\treturn nil\n"}}, calls},
		{"aws: each call has a quota of repetitions", []edit{{client, "Options{Retryer: c.retryer}", "Options{Retryer: retry.NewStandard()}"}}, calls},
		{"aws: an answer is not read to its end", []edit{{client, "\t\t\tdefer smithyhttp.CloseResponseBody(ctx, answer, false, err)\n", ""}}, calls},
		{"aws: Lambda does not find loops", []edit{{client, "\t\tawsmiddleware.AddRecursionDetection(stack),\n", ""}}, calls},
		{"aws: only 200 is a success", []edit{{protocol, "answer.StatusCode >= 200 && answer.StatusCode < 300", "answer.StatusCode == 200"}}, calls},
		{"aws: a part of an answer is taken for the whole", []edit{{protocol, "\tif err != nil {\n\t\treturn nil, &smithy.DeserializationError{Err: err}\n\t}\n\tif answer", "\tif answer"}}, calls},
		{"aws: a failure has the name of its namespace", []edit{{protocol, "return code[strings.LastIndex(code, \"#\")+1:]", "return code"}}, calls},
		{"aws: a message that arrived with another body is stored", []edit{{queues, "out.BodyMD5 != sent", "false"}}, calls},
		{"aws: a start waits for the function", []edit{{functions, "if in.Event {", "if false {"}}, calls},
		{"aws: the European partition has Amazon's domain", []edit{{partitions, `"amazonaws.eu"`, `"amazonaws.com"`}}, calls},
		{"aws: a message is not delayed for long", []edit{{"internal/queue/consumer.go", "Timeout: seconds}", "Timeout: min(seconds, 30)}"}}, consumer},
		{"aws: a secret that may not be read is gone", []edit{{"internal/function/secret/manager.go", "said.ErrorCode() == awsapi.CodeNoSecret ||", "said.ErrorCode() == \"AccessDeniedException\" ||"}}, secrets},
	}
}
