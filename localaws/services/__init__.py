"""One module per AWS service that moto lacks or answers differently from AWS."""
