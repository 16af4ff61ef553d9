package dev.sparkmla.sql;

import java.io.Serializable;
import java.util.List;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.catalyst.expressions.codegen.CodegenContext;
import org.apache.spark.sql.catalyst.expressions.codegen.CodegenFallback;
import org.apache.spark.sql.catalyst.expressions.codegen.ExprCode;
import org.apache.spark.sql.catalyst.util.ArrayData;
import org.apache.spark.sql.catalyst.util.GenericArrayData;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.unsafe.types.UTF8String;
import scala.collection.immutable.IndexedSeq;
import scala.collection.immutable.Seq;

/**
 * Makes a conversation of texts of one whose messages' content is a list of parts: {@code
 * ARRAY<STRUCT<role STRING, content ARRAY<STRUCT<type STRING, text STRING, ...>>>>} becomes {@code
 * ARRAY<STRUCT<role STRING, content STRING>>}. The texts of a message's parts are joined without
 * anything between them. Content is NULL, and so its row an error, where a part is of another type
 * than {@code text} or has no text.
 */
public final class JoinContentParts extends Expression
    implements CatalystNode, CodegenFallback, Serializable {
  private static final long serialVersionUID = 1L;

  /** {@code ARRAY<STRUCT<role STRING, content STRING>>}. */
  static final ArrayType CONVERSATION_TYPE =
      DataTypes.createArrayType(
          new StructType()
              .add("role", DataTypes.StringType, true)
              .add("content", DataTypes.StringType, true));

  private static final UTF8String TEXT = UTF8String.fromString("text");

  private final Expression child;

  /**
   * Public because Catalyst copies expressions by reflection.
   *
   * @param child of a type that {@link #takes}
   */
  public JoinContentParts(Expression child) {
    this.child = child;
  }

  /** Whether a type is that of conversations with lists of parts; fields are found by name. */
  static boolean takes(DataType type) {
    return type instanceof ArrayType conversation
        && conversation.elementType() instanceof StructType message
        && message.size() == 2
        && hasText(message, "role")
        && message.getFieldIndex("content").isDefined()
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
    StructType fields = (StructType) ((ArrayType) child.dataType()).elementType();
    Object[] messages = new Object[conversation.numElements()];
    for (int i = 0; i < messages.length; i++) {
      messages[i] =
          conversation.isNullAt(i)
              ? null
              : message(conversation.getStruct(i, fields.size()), fields);
    }
    return new GenericArrayData(messages);
  }

  private static InternalRow message(InternalRow message, StructType fields) {
    int role = fields.fieldIndex("role");
    int content = fields.fieldIndex("content");
    StructField parts = fields.apply(content);
    return new GenericInternalRow(
        new Object[] {
          message.isNullAt(role) ? null : message.getUTF8String(role),
          message.isNullAt(content)
              ? null
              : joined(
                  message.getArray(content),
                  (StructType) ((ArrayType) parts.dataType()).elementType())
        });
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
    return new JoinContentParts(children.apply(0));
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
