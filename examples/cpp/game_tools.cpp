// A tiny text game whose world the agent changes: `game_tools [WISH]`. The wish goes to the agent, which builds with the
// functions of this program; the game goes on in its own ticks meanwhile, and is drawn after each change.

#include <opencode.hpp>

#include <array>
#include <chrono>
#include <iostream>
#include <optional>
#include <string>
#include <thread>

namespace {

constexpr int WIDTH = 16, HEIGHT = 4;

struct Place {
    int x, y;
};

/// A walk that goes on in later ticks: one step each.
struct Walk {
    std::string call;
    Place to;
};

struct Game {
    std::array<std::string, HEIGHT> world;
    Place player{1, 1};
    std::optional<Walk> walk;

    Game() { world.fill(std::string(WIDTH, '.')); }

    char &at(Place place) { return world[static_cast<std::size_t>(place.y - 1)][static_cast<std::size_t>(place.x - 1)]; }

    void draw() {
        auto shown = *this;
        shown.at(player) = '@';
        for (const auto &row : shown.world)
            std::cout << row << '\n';
    }

    /// Goes one step; what to say to the agent when the walk is over.
    std::optional<opencode::ToolAnswer> step() {
        const auto toward = [](int from, int to) { return from + (to > from) - (to < from); };
        if (player.x == walk->to.x && player.y == walk->to.y)
            return "arrived";
        const Place next{toward(player.x, walk->to.x), toward(player.y, walk->to.y)};
        if (at(next) == '#' || at(next) == '~')
            return opencode::ToolAnswer::failure("something is in the way");
        player = next;
        return std::nullopt;
    }
};

/// The library has looked that the arguments fit the schema.
Place place_of(const opencode::ToolCall &call) {
    return {static_cast<int>(call.integer("/x")), static_cast<int>(call.integer("/y"))};
}

const char X_AND_Y[] = R"("x":{"type":"integer","minimum":1,"maximum":16},"y":{"type":"integer","minimum":1,"maximum":4})";

std::string schema(const std::string &more, const char *required) {
    return R"({"type":"object","properties":{)" + (X_AND_Y + more) + R"(},"required":)" + required + "}";
}

/// Tells the agent what there is. A handler runs in Tools::handle(): on this thread, between two frames.
opencode::Result<void> add_tools(opencode::Tools &tools, const opencode::Client &client, Game &game) {
    auto added = tools.add(client, "look", "Shows the world: rows of characters, '.' is free ground", {},
                           [&game](const opencode::ToolCall &) {
                               opencode::Json shown;
                               shown.list("rows");
                               for (const auto &row : game.world)
                                   shown.text("", row);
                               shown.end().object("player").integer("x", game.player.x).integer("y", game.player.y).end();
                               return opencode::ToolAnswer::value(shown);
                           });
    if (!added)
        return added;
    added = tools.add(client, "build", "Puts a character on a place of the world: '#' a wall, 'T' a tree, '~' water, '.' nothing",
                      schema(R"(,"what":{"enum":["#","T","~","."]})", R"(["x","y","what"])"),
                      [&game](const opencode::ToolCall &call) {
                          const Place place = place_of(call);
                          if (place.x == game.player.x && place.y == game.player.y)
                              return opencode::ToolAnswer::failure("the player stands there");
                          game.at(place) = call.text("/what").value_or(".").front();
                          return opencode::ToolAnswer("built");
                      });
    if (!added)
        return added;
    return tools.add(client, "walk", "Lets the player walk to a place; answers when he is there",
                     schema("", R"(["x","y"])"),
                     [&game](const opencode::ToolCall &call) -> std::optional<opencode::ToolAnswer> {
                         if (game.walk)
                             return opencode::ToolAnswer::failure("the player is on his way already");
                         game.walk = Walk{std::string(call.id()), place_of(call)};
                         return std::nullopt; // Later ticks answer.
                     });
}

} // namespace

int main(int count, char **words) {
    auto client = opencode::Client::make();
    if (!client) {
        std::cerr << client.error().what() << '\n';
        return 1;
    }
    Game game;
    opencode::Tools tools;
    if (auto added = add_tools(tools, *client, game); !added) {
        std::cerr << added.error().what() << '\n';
        return 1;
    }
    auto run = client->run(count > 1 ? words[1] : "Build a small house around a tree, and walk to it.");
    if (!run) {
        std::cerr << run.error().what() << '\n';
        return 1;
    }
    OpencodeRunState state = OPENCODE_RUN_STATE_PENDING;
    while (state != OPENCODE_RUN_STATE_DONE && state != OPENCODE_RUN_STATE_FAILED) {
        std::this_thread::sleep_for(std::chrono::milliseconds(16)); // Shows a frame.
        if (game.walk) {
            if (const auto answer = game.step()) {
                // An answer that comes too late harms nothing.
                static_cast<void>(client->reply_tool(game.walk->call, *answer));
                game.walk.reset();
            }
        }
        while (auto update = run->next(state)) {
            if (tools.handle(*client, *update))
                continue;
            if (update->type() == OPENCODE_UPDATE_TYPE_TOOL && update->reply().text("/part/state/status") == "completed")
                game.draw();
            else if (update->type() == OPENCODE_UPDATE_TYPE_DONE)
                std::cout << update->text() << '\n';
            else if (update->type() == OPENCODE_UPDATE_TYPE_FAILED)
                std::cerr << update->text() << '\n';
        }
    }
    return state != OPENCODE_RUN_STATE_DONE;
}
