package dev.sparkmla.sql.answer;

import org.apache.spark.unsafe.types.UTF8String;

/** Reads the texts of answers into values of one type. Not thread-safe. */
public interface ValueReader {
  /**
   * The value of an answer that was held to the format, as far as it goes.
   *
   * @param text the answer
   * @return as Spark holds values of the type; null where the text, or a part of it, cannot be read
   */
  Object read(UTF8String text);
}
