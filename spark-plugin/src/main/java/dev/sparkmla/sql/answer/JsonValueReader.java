package dev.sparkmla.sql.answer;

import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.json.JsonToStructsEvaluator;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.unsafe.types.UTF8String;
import scala.Option;

/**
 * Reads answers that are JSON texts into values of a type, as Spark's {@code from_json} does, which
 * reads objects and arrays alone: so a text is read as a field of an object. Not thread-safe.
 */
final class JsonValueReader implements ValueReader {
  private static final UTF8String BEFORE = UTF8String.fromString("{\"value\":");
  private static final UTF8String AFTER = UTF8String.fromString("}");
  private static final String MALFORMED = "malformed";

  private final DataType type;
  private final JsonToStructsEvaluator reader;
  private final UniqueKeys uniqueKeys;

  /**
   * @param type of the values, with fields and elements that may be NULL
   */
  JsonValueReader(DataType type) {
    this.type = type;
    this.uniqueKeys = UniqueKeys.in(type);
    StructType object =
        new StructType().add("value", type, true).add(MALFORMED, DataTypes.StringType, true);
    this.reader =
        new JsonToStructsEvaluator(
            scala.collection.immutable.Map$.MODULE$
                .<String, String>empty()
                .updated("columnNameOfCorruptRecord", MALFORMED),
            object,
            MALFORMED,
            Option.apply("UTC"),
            false);
  }

  @Override
  public Object read(UTF8String text) {
    InternalRow object = (InternalRow) reader.evaluate(UTF8String.concat(BEFORE, text, AFTER));
    return object.isNullAt(1) ? uniqueKeys.of(object.get(0, type)) : null;
  }
}
