package dev.sparkmla.sql;

import dev.sparkmla.arrow.RequestBatch;
import dev.sparkmla.plugin.ApplicationModel;
import dev.sparkmla.text.ChatTemplateException;
import dev.sparkmla.text.Message;
import dev.sparkmla.text.PromptText;
import dev.sparkmla.text.TextTooLongException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.NamedArgumentExpression;
import org.apache.spark.sql.catalyst.expressions.codegen.CodegenContext;
import org.apache.spark.sql.catalyst.expressions.codegen.CodegenFallback;
import org.apache.spark.sql.catalyst.expressions.codegen.ExprCode;
import org.apache.spark.sql.catalyst.util.ArrayData;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.unsafe.types.UTF8String;
import scala.Option;
import scala.collection.immutable.IndexedSeq;
import scala.collection.immutable.Seq;

/**
 * A call of {@code llm_count_tokens} or {@code llm_render_chat}: an ordinary expression, computed
 * row by row with the tokenizer and the template of the application's model.
 *
 * <p>It is not folded when the query is optimized, because a driver may not see the model's folder.
 * Where Spark computes literal rows in the driver, the folder has to be readable there.
 */
public final class LlmPromptFunction extends Expression
    implements CatalystNode, CodegenFallback, Serializable {
  private static final long serialVersionUID = 1L;

  /** Which function is called. */
  public enum Kind {
    /** INT: the number of tokens of a prompt. */
    COUNT_TOKENS("llm_count_tokens", "prompt", DataTypes.IntegerType),
    /** STRING: a conversation as the chat template renders it. */
    RENDER_CHAT("llm_render_chat", "messages", DataTypes.StringType);

    private final String function;
    private final String argument;
    private final DataType type;

    Kind(String function, String argument, DataType type) {
      this.function = function;
      this.argument = argument;
      this.type = type;
    }

    String function() {
      return function;
    }

    String argument() {
      return argument;
    }
  }

  private final Kind kind;
  private final Expression child;

  /**
   * Public because Catalyst copies expressions by reflection.
   *
   * @param kind what is computed
   * @param child STRING, for tokens alone, or ARRAY&lt;STRUCT&lt;role STRING, content
   *     STRING&gt;&gt;
   */
  public LlmPromptFunction(Kind kind, Expression child) {
    this.kind = kind;
    this.child = child;
  }

  /**
   * Makes a call of its argument.
   *
   * @param arguments resolved
   */
  static Expression bind(Kind kind, Seq<Expression> arguments) {
    List<Expression> given = Catalyst.list(arguments);
    if (given.size() != 1) {
      throw Catalyst.error(
          kind.function + " takes one argument, '" + kind.argument + "', not " + given.size());
    }
    Expression value = given.get(0);
    if (value instanceof NamedArgumentExpression named) {
      if (!named.key().toLowerCase(Locale.ROOT).equals(kind.argument)) {
        throw Catalyst.error(
            kind.function + " has no argument '" + named.key() + "'; it has " + kind.argument);
      }
      value = named.value();
    }
    return new LlmPromptFunction(kind, CallArguments.prompt(kind, value));
  }

  @Override
  public Object eval(InternalRow row) {
    Object prompt = child.eval(row);
    if (prompt == null) {
      return null;
    }
    PromptText text = ApplicationModel.folder().text();
    try {
      if (prompt instanceof UTF8String string) {
        return text.countTokens(string.toString());
      }
      Optional<List<Message>> messages = messages((ArrayData) prompt);
      if (messages.isEmpty()) {
        return null;
      }
      return switch (kind) {
        case COUNT_TOKENS -> text.countTokens(messages.get());
        case RENDER_CHAT -> UTF8String.fromString(text.renderChat(messages.get()));
      };
    } catch (ChatTemplateException | TextTooLongException refused) {
      return null;
    }
  }

  private static String text(InternalRow message, int field) {
    return message.isNullAt(field) ? null : message.getUTF8String(field).toString();
  }

  /** The conversation's messages; empty where one is NULL or cannot be given to the template. */
  private Optional<List<Message>> messages(ArrayData conversation) {
    StructType fields = (StructType) ((ArrayType) child.dataType()).elementType();
    int role = fields.fieldIndex("role");
    int content = fields.fieldIndex("content");
    Option<Object> others = fields.getFieldIndex(RequestBatch.MESSAGE_FIELDS);
    List<Message> messages = new ArrayList<>();
    for (int i = 0; i < conversation.numElements(); i++) {
      if (conversation.isNullAt(i)) {
        return Optional.empty();
      }
      InternalRow message = conversation.getStruct(i, fields.size());
      Message read =
          new Message(
              text(message, role),
              text(message, content),
              others.isEmpty()
                  ? Optional.empty()
                  : Optional.ofNullable(text(message, (int) others.get())));
      if (read.problem().isPresent()) {
        return Optional.empty();
      }
      messages.add(read);
    }
    return Optional.of(messages);
  }

  @Override
  public Seq<Expression> children() {
    return Catalyst.seq(List.of(child));
  }

  @Override
  public Expression withNewChildrenInternal(IndexedSeq<Expression> children) {
    return new LlmPromptFunction(kind, children.apply(0));
  }

  @Override
  public DataType dataType() {
    return kind.type;
  }

  /** Also of a prompt that is never NULL: it may be a text that the tokenizer does not take. */
  @Override
  public boolean nullable() {
    return true;
  }

  @Override
  public boolean foldable() {
    return false;
  }

  @Override
  public boolean expensive() {
    return true;
  }

  @Override
  public ExprCode doGenCode(CodegenContext context, ExprCode code) {
    return CodegenFallback.super.doGenCode(context, code);
  }

  @Override
  public String prettyName() {
    return kind.function;
  }

  @Override
  public List<Object> arguments() {
    return List.of(kind, child);
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
