"""The file of `dbz monitor`: schema `dbz.monitor/1`."""
