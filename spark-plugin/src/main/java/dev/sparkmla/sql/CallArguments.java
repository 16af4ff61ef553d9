package dev.sparkmla.sql;

import dev.sparkmla.arrow.OverflowPolicy;
import dev.sparkmla.arrow.RequestBatch;
import dev.sparkmla.engine.GenerationParameter;
import dev.sparkmla.engine.GenerationParameters;
import dev.sparkmla.engine.InvalidParameterException;
import dev.sparkmla.grammar.InvalidResponseFormatException;
import dev.sparkmla.sql.answer.AnswerFormat;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.apache.spark.sql.catalyst.expressions.Cast;
import org.apache.spark.sql.catalyst.expressions.CreateMap;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.Literal$;
import org.apache.spark.sql.catalyst.expressions.NamedArgumentExpression;
import org.apache.spark.sql.internal.SQLConf;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.BinaryType;
import org.apache.spark.sql.types.BooleanType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.NullType;
import org.apache.spark.sql.types.NumericType;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.unsafe.types.UTF8String;
import scala.Option;
import scala.collection.immutable.Seq;

/**
 * Reads the arguments of a call, given by position or by name, and checks them when the query is
 * analysed.
 */
final class CallArguments {
  /** {@code MAP<STRING, STRING>}. */
  static final MapType PARAMS_TYPE =
      DataTypes.createMapType(DataTypes.StringType, DataTypes.StringType, true);

  private static final String CONVERSATION =
      "ARRAY<STRUCT<role STRING, content STRING or ARRAY<STRUCT<type STRING, text STRING>>>>";

  private static final List<String> MESSAGE_COLUMNS =
      List.of("role", "content", RequestBatch.MESSAGE_FIELDS);

  private static final List<String> NAMES =
      List.of("prompt", "params", "system", "on_error", "on_overflow", "response_format");

  /** The parameters that decide which fields results have. */
  private static final List<GenerationParameter<?>> DECIDE_FIELDS =
      List.of(GenerationParameters.N, GenerationParameters.LOGPROBS);

  private final String function;
  private final Map<String, Expression> values = new LinkedHashMap<>();

  private CallArguments(String function) {
    this.function = function;
  }

  /**
   * Makes a call from its arguments. A constant NULL for any argument but the prompt is as if it
   * were not given.
   *
   * @param arguments resolved
   * @param textOnly whether {@code llm_generate_text} is called
   */
  static LlmGenerate bind(Seq<Expression> arguments, boolean textOnly) {
    CallArguments bound = new CallArguments(textOnly ? LlmGenerate.TEXT_NAME : LlmGenerate.NAME);
    Catalyst.<Expression>list(arguments).forEach(bound::add);
    return bound.call(textOnly);
  }

  private void add(Expression argument) {
    if (argument instanceof NamedArgumentExpression named) {
      put(named.key().toLowerCase(Locale.ROOT), named.value());
    } else if (values.size() < NAMES.size()) {
      put(NAMES.get(values.size()), argument);
    } else {
      throw Catalyst.error(
          function + " takes " + NAMES.size() + " arguments at most: " + String.join(", ", NAMES));
    }
  }

  private void put(String name, Expression value) {
    if (!NAMES.contains(name)) {
      throw Catalyst.error(
          function + " has no argument '" + name + "'; it has " + String.join(", ", NAMES));
    }
    if (values.putIfAbsent(name, value) != null) {
      throw Catalyst.error(function + " is given its argument '" + name + "' twice");
    }
  }

  private LlmGenerate call(boolean textOnly) {
    Expression prompt = prompt();
    Expression params = params();
    AnswerFormat answer = answer();
    GenerationParameters constants = constantParams(params, answer);
    return new LlmGenerate(
        prompt,
        asTexts(params),
        system(),
        option("on_error", OnError.class, OnError.ROW),
        option("on_overflow", OverflowPolicy.class, OverflowPolicy.ERROR),
        new ResultType(
            answer,
            constants.get(GenerationParameters.N).orElse(1),
            constants.get(GenerationParameters.LOGPROBS).isPresent()),
        textOnly);
  }

  private Expression prompt() {
    Expression prompt = values.get("prompt");
    if (prompt == null) {
      throw Catalyst.error(function + " needs its argument 'prompt'");
    }
    DataType type = prompt.dataType();
    if (type instanceof NullType) {
      return Literal$.MODULE$.create(null, DataTypes.StringType);
    }
    return type instanceof StringType
        ? prompt
        : conversation(prompt)
            .orElseThrow(() -> wrongType("prompt", "STRING or " + CONVERSATION, prompt));
  }

  /**
   * The argument of {@code llm_count_tokens}, which is a prompt, or of {@code llm_render_chat},
   * which is a conversation.
   */
  static Expression prompt(LlmPromptFunction.Kind kind, Expression argument) {
    DataType type = argument.dataType();
    boolean takesText =
        switch (kind) {
          case COUNT_TOKENS -> true;
          case RENDER_CHAT -> false;
        };
    if (type instanceof NullType) {
      return Literal$.MODULE$.create(
          null, takesText ? DataTypes.StringType : ToMessages.CONVERSATION_TYPE);
    }
    return takesText && type instanceof StringType
        ? argument
        : conversation(argument)
            .orElseThrow(
                () ->
                    wrongType(
                        kind.function(),
                        kind.argument(),
                        takesText ? "STRING or " + CONVERSATION : CONVERSATION,
                        argument));
  }

  /**
   * Converts a conversation to one whose contents are texts; empty where the argument is not a
   * conversation.
   */
  private static Optional<Expression> conversation(Expression argument) {
    if (!ToMessages.takes(argument.dataType())) {
      return Optional.empty();
    }
    if (isPlain(argument.dataType())) {
      return Optional.of(argument);
    }
    if (argument.dataType().existsRecursively(type -> type instanceof BinaryType)) {
      throw Catalyst.error(
          "a message's fields and parts are for the chat template, which reads no BINARY, as in "
              + argument.dataType().sql());
    }
    return Optional.of(new ToMessages(argument));
  }

  /** Whether messages have only the fields of a request batch. */
  private static boolean isPlain(DataType conversation) {
    StructType message = (StructType) ((ArrayType) conversation).elementType();
    return Arrays.stream(message.fields())
        .allMatch(
            field ->
                field.dataType() instanceof StringType && MESSAGE_COLUMNS.contains(field.name()));
  }

  private Expression params() {
    Expression given = given("params");
    if (given == null) {
      return Literal$.MODULE$.create(null, PARAMS_TYPE);
    }
    Expression params = given instanceof CreateMap map ? ofTexts(map) : given;
    if (!(params.dataType() instanceof MapType map
        && isText(map.keyType())
        && (isText(map.valueType())
            || map.valueType() instanceof NumericType
            || map.valueType() instanceof BooleanType))) {
      throw wrongType("params", "MAP<STRING, STRING>", params);
    }
    return params;
  }

  /**
   * A map with all values as texts where one value is a text. For {@code map('stop', 'x',
   * 'max_tokens', 8)} Spark would cast the text to a number, which fails.
   */
  private static CreateMap ofTexts(CreateMap map) {
    List<Expression> values =
        Catalyst.<Expression>list(map.values()).stream().map(CallArguments::written).toList();
    if (values.stream().noneMatch(value -> value.dataType() instanceof StringType)) {
      return map;
    }
    List<Expression> keys = Catalyst.list(map.keys());
    List<Expression> entries = new ArrayList<>();
    for (int i = 0; i < keys.size(); i++) {
      entries.add(keys.get(i));
      entries.add(asText(values.get(i)));
    }
    return new CreateMap(Catalyst.seq(entries), map.useStringTypeWhenEmpty());
  }

  /** Removes the cast to a number that Spark puts around a text. */
  private static Expression written(Expression value) {
    return value instanceof Cast cast
            && cast.child().dataType() instanceof StringType
            && value.dataType() instanceof NumericType
        ? cast.child()
        : value;
  }

  private static Expression asText(Expression value) {
    return value.dataType() instanceof StringType
        ? value
        : new Cast(value, DataTypes.StringType, Option.apply(SQLConf.get().sessionLocalTimeZone()));
  }

  /** Converts a map from texts to texts or numbers to {@link #PARAMS_TYPE}. */
  static Expression asTexts(Expression params) {
    return params.dataType().equals(PARAMS_TYPE)
        ? params
        : new Cast(params, PARAMS_TYPE, Option.apply(SQLConf.get().sessionLocalTimeZone()));
  }

  private static boolean isText(DataType type) {
    return type instanceof StringType || type instanceof NullType;
  }

  /** The response format of the call. */
  private AnswerFormat answer() {
    Expression format = given(GenerationParameters.RESPONSE_FORMAT.name());
    if (format == null) {
      return new AnswerFormat.Free();
    }
    try {
      return AnswerFormat.parse(constant(GenerationParameters.RESPONSE_FORMAT.name(), format));
    } catch (InvalidResponseFormatException invalid) {
      throw Catalyst.error(function + ": " + invalid.getMessage());
    }
  }

  /**
   * The parameters that are the same for all rows. They are checked here, so that a wrong one is an
   * error of the analysis, not of every row.
   */
  private GenerationParameters constantParams(Expression params, AnswerFormat answer) {
    Map<String, String> constants = ConstantParams.of(params);
    String format = GenerationParameters.RESPONSE_FORMAT.name();
    if (answer.format().isPresent() && constants.containsKey(format)) {
      throw Catalyst.error(function + " is given '" + format + "' twice, also in its 'params'");
    }
    answer.format().ifPresent(text -> constants.put(format, text));
    for (GenerationParameter<?> parameter : DECIDE_FIELDS) {
      if (ConstantParams.vary(params, parameter.name())) {
        throw Catalyst.error(
            function + " needs a constant for '" + parameter.name() + "' in its 'params'");
      }
    }
    try {
      GenerationParameters parameters = GenerationParameters.parse(constants);
      parameters.responseFormat();
      return parameters;
    } catch (InvalidParameterException invalid) {
      throw Catalyst.error(function + ": " + invalid.getMessage());
    }
  }

  private Expression system() {
    Expression system = given("system");
    if (system == null) {
      return Literal$.MODULE$.create(null, DataTypes.StringType);
    }
    if (!(system.dataType() instanceof StringType)) {
      throw wrongType("system", "STRING", system);
    }
    return system;
  }

  private <E extends Enum<E>> E option(String name, Class<E> type, E usual) {
    Expression option = given(name);
    if (option == null) {
      return usual;
    }
    String value = constant(name, option);
    for (E constant : type.getEnumConstants()) {
      if (constant.toString().equals(value)) {
        return constant;
      }
    }
    String known =
        Arrays.stream(type.getEnumConstants())
            .map(constant -> "'" + constant + "'")
            .collect(Collectors.joining(", "));
    throw Catalyst.error(
        function + " takes one of " + known + " for '" + name + "', not '" + value + "'");
  }

  private String constant(String name, Expression argument) {
    if (!(argument.dataType() instanceof StringType)) {
      throw wrongType(name, "STRING", argument);
    }
    if (!argument.foldable()) {
      throw Catalyst.error(
          function + " needs a constant for '" + name + "', not " + argument.sql());
    }
    return String.valueOf((UTF8String) argument.eval(null));
  }

  /** An argument; null where it is not given or is a constant text that is NULL. */
  private Expression given(String name) {
    Expression value = values.get(name);
    boolean isNull =
        value != null
            && (value.dataType() instanceof NullType
                || value.dataType() instanceof StringType
                    && value.foldable()
                    && value.eval(null) == null);
    return isNull ? null : value;
  }

  private RuntimeException wrongType(String name, String expected, Expression actual) {
    return wrongType(function, name, expected, actual);
  }

  private static RuntimeException wrongType(
      String function, String name, String expected, Expression actual) {
    return Catalyst.error(
        function
            + " takes "
            + expected
            + " for '"
            + name
            + "', not "
            + actual.dataType().sql()
            + " as in "
            + actual.sql());
  }
}
