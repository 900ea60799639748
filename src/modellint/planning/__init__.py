"""Planning: settings become the plan of each file: rules, options, severities, deployments."""
