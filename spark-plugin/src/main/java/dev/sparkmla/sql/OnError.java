package dev.sparkmla.sql;

/** What becomes of a row that ends in error. Its SQL spelling is the lower-case name. */
public enum OnError {
  /** The result says so in its {@code error} field. */
  ROW,
  /** The result is NULL. */
  NULL,
  /** The task fails with the error. */
  FAIL
}
