package dev.sparkmla.sql.answer;

import java.io.IOException;
import org.apache.spark.SparkRuntimeException;
import org.apache.spark.types.variant.Variant;
import org.apache.spark.types.variant.VariantBuilder;
import org.apache.spark.unsafe.types.UTF8String;
import org.apache.spark.unsafe.types.VariantVal;

/**
 * Reads any JSON text. Of a name that an object has twice it takes the last value, which Spark's
 * {@code from_json} refuses. Thread-safe.
 */
final class VariantReader implements ValueReader {
  @Override
  public Object read(UTF8String text) {
    try {
      Variant value = VariantBuilder.parseJson(text.toString(), true);
      return new VariantVal(value.getValue(), value.getMetadata());
    } catch (IOException | SparkRuntimeException problem) {
      return null;
    }
  }
}
