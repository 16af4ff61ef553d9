package dev.sparkmla.sql;

import dev.sparkmla.arrow.RequestBatch;
import java.io.Serializable;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.catalyst.expressions.codegen.CodegenContext;
import org.apache.spark.sql.catalyst.expressions.codegen.CodegenFallback;
import org.apache.spark.sql.catalyst.expressions.codegen.ExprCode;
import org.apache.spark.sql.catalyst.expressions.json.StructsToJsonEvaluator;
import org.apache.spark.sql.catalyst.util.ArrayData;
import org.apache.spark.sql.catalyst.util.GenericArrayData;
import org.apache.spark.sql.internal.SQLConf;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.unsafe.types.UTF8String;
import scala.Option;
import scala.collection.immutable.IndexedSeq;
import scala.collection.immutable.Map$;
import scala.collection.immutable.Seq;

/**
 * Makes messages of {@link #CONVERSATION_TYPE} of those that people have: {@code ARRAY<STRUCT<role
 * STRING, content STRING or ARRAY<STRUCT<type STRING, text STRING, ...>>, ...>>}.
 *
 * <p>The texts of a message's parts are joined without anything between them. Where a part is of
 * another type than {@code text} or has no text, the content is NULL, and the parts are among the
 * fields, so that the row's error can name it. Further fields of a message become JSON; those that
 * are NULL are left out.
 */
public final class ToMessages extends Expression
    implements CatalystNode, CodegenFallback, Serializable {
  private static final long serialVersionUID = 1L;

  /** {@code ARRAY<STRUCT<role STRING, content STRING, fields STRING>>}, as request batches have. */
  public static final ArrayType CONVERSATION_TYPE =
      DataTypes.createArrayType(
          new StructType()
              .add("role", DataTypes.StringType, true)
              .add("content", DataTypes.StringType, true)
              .add(RequestBatch.MESSAGE_FIELDS, DataTypes.StringType, true));

  private static final UTF8String TEXT = UTF8String.fromString("text");
  private static final UTF8String NOTHING = UTF8String.fromString("{}");

  private final Expression child;

  /** Of timestamps among the fields, as JSON spells them. */
  private final String timeZone = SQLConf.get().sessionLocalTimeZone();

  /** Made on first use: the child of an expression that is not analysed yet has no type. */
  private transient Layout layout;

  /**
   * Public because Catalyst copies expressions by reflection.
   *
   * @param child of a type that {@link #takes}
   */
  public ToMessages(Expression child) {
    this.child = child;
  }

  /** Whether a type is that of conversations; fields are found by name. */
  static boolean takes(DataType type) {
    return type instanceof ArrayType conversation
        && conversation.elementType() instanceof StructType message
        && hasText(message, "role")
        && (hasText(message, "content") || hasParts(message));
  }

  private static boolean hasParts(StructType message) {
    return message.getFieldIndex("content").isDefined()
        && message.apply("content").dataType() instanceof ArrayType parts
        && parts.elementType() instanceof StructType part
        && hasText(part, "type")
        && hasText(part, "text");
  }

  private static boolean hasText(StructType struct, String name) {
    return struct.getFieldIndex(name).isDefined()
        && struct.apply(name).dataType() instanceof StringType;
  }

  @Override
  public Object eval(InternalRow row) {
    ArrayData conversation = (ArrayData) child.eval(row);
    if (conversation == null) {
      return null;
    }
    if (layout == null) {
      layout = new Layout((StructType) ((ArrayType) child.dataType()).elementType(), timeZone);
    }
    Object[] messages = new Object[conversation.numElements()];
    for (int i = 0; i < messages.length; i++) {
      messages[i] =
          conversation.isNullAt(i)
              ? null
              : layout.message(conversation.getStruct(i, layout.message.size()));
    }
    return new GenericArrayData(messages);
  }

  /** Where the child's messages have what, and how their further fields are written. */
  private static final class Layout {
    private final StructType message;
    private final int role;
    private final int content;

    /** All fields but the role and a content that is a text. */
    private final StructType others;

    private final StructsToJsonEvaluator json;

    Layout(StructType message, String timeZone) {
      this.message = message;
      this.role = message.fieldIndex("role");
      this.content = message.fieldIndex("content");
      this.others =
          new StructType(
              IntStream.range(0, message.size())
                  .filter(i -> i != role && !(i == content && hasText(message, "content")))
                  .mapToObj(message::apply)
                  .toArray(StructField[]::new));
      this.json =
          new StructsToJsonEvaluator(
              Map$.MODULE$.<String, String>empty().updated("ignoreNullFields", "true"),
              others,
              Option.apply(timeZone));
    }

    InternalRow message(InternalRow given) {
      UTF8String text = given.isNullAt(content) ? null : text(given);
      return new GenericInternalRow(
          new Object[] {
            given.isNullAt(role) ? null : given.getUTF8String(role), text, fields(given, text)
          });
    }

    private UTF8String text(InternalRow given) {
      return message.apply(content).dataType() instanceof ArrayType parts
          ? joined(given.getArray(content), (StructType) parts.elementType())
          : given.getUTF8String(content);
    }

    /** Further fields as JSON, with parts that are no text; null where there is none. */
    private UTF8String fields(InternalRow given, UTF8String text) {
      Object[] values = new Object[others.size()];
      for (int i = 0; i < values.length; i++) {
        int field = message.fieldIndex(others.apply(i).name());
        boolean left = given.isNullAt(field) || (field == content && text != null);
        values[i] = left ? null : given.get(field, message.apply(field).dataType());
      }
      UTF8String written = (UTF8String) json.evaluate(new GenericInternalRow(values));
      return written.equals(NOTHING) ? null : written;
    }
  }

  /** Null where a part is not a text. */
  private static UTF8String joined(ArrayData parts, StructType fields) {
    int type = fields.fieldIndex("type");
    int text = fields.fieldIndex("text");
    UTF8String[] texts = new UTF8String[parts.numElements()];
    for (int i = 0; i < texts.length; i++) {
      InternalRow part = parts.isNullAt(i) ? null : parts.getStruct(i, fields.size());
      if (part == null || part.isNullAt(text) || !TEXT.equals(part.getUTF8String(type))) {
        return null;
      }
      texts[i] = part.getUTF8String(text);
    }
    return UTF8String.concat(texts);
  }

  @Override
  public Seq<Expression> children() {
    return Catalyst.seq(List.of(child));
  }

  @Override
  public Expression withNewChildrenInternal(IndexedSeq<Expression> children) {
    return new ToMessages(children.apply(0));
  }

  @Override
  public DataType dataType() {
    return CONVERSATION_TYPE;
  }

  @Override
  public boolean nullable() {
    return child.nullable();
  }

  @Override
  public ExprCode doGenCode(CodegenContext context, ExprCode code) {
    return CodegenFallback.super.doGenCode(context, code);
  }

  /** As the argument, which is what the query's author wrote. */
  @Override
  public String toString() {
    return child.toString();
  }

  @Override
  public String sql() {
    return child.sql();
  }

  @Override
  public List<Object> arguments() {
    return List.of(child);
  }

  @Override
  public boolean equals(Object other) {
    return equalArguments(other);
  }

  @Override
  public int hashCode() {
    return super.hashCode();
  }
}
