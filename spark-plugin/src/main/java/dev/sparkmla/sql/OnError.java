package dev.sparkmla.sql;

import java.util.Locale;

/** What becomes of a row that ends in error. */
public enum OnError {
  /** The result says so in its {@code error} field. */
  ROW,
  /** The result is NULL. */
  NULL,
  /** The task fails with the error. */
  FAIL;

  /** The spelling in SQL. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
