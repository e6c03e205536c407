// Creates, reads, changes and deletes a user with the generated Java client. Environment: GATEWAY, TOKEN.
package com.example.users;

import com.example.users.api.UsersApi;
import com.example.users.model.PatchedUserRequest;
import com.example.users.model.Role;
import com.example.users.model.User;
import com.example.users.model.UserRequest;
import java.util.UUID;

public final class Example {
    public static void main(String[] arguments) throws ApiException {
        ApiClient http = new ApiClient();
        http.updateBaseUri(System.getenv("GATEWAY"));
        http.setRequestInterceptor(request -> request.header("Authorization", "Bearer " + System.getenv("TOKEN")));
        UsersApi users = new UsersApi(http);

        UserRequest body = new UserRequest().name("Ana Gómez").email(UUID.randomUUID() + "@example.com");
        String key = UUID.randomUUID().toString();
        User created = users.createUser(body, key, null);
        require(users.createUser(body, key, null).equals(created), "a second user");

        ApiResponse<User> read = users.getUserWithHttpInfo(created.getId(), null, null, null);
        String version = read.getHeaders().get("etag").get(0);
        PatchedUserRequest promotion = new PatchedUserRequest().role(Role.ADMIN);
        require(users.updateUser(created.getId(), promotion, version, null, null).getRole() == Role.ADMIN, "no change");
        try {
            users.updateUser(created.getId(), promotion.name("Eve"), version, null, null);
            require(false, "overwrote another change");
        } catch (ApiException refused) {
            require(refused.getCode() == 412 && refused.getResponseBody().contains("precondition-failed"), "no 412");
        }
        require(users.listUsers(null, null, null, null, 100).getResults().size() > 0, "no page");
        users.deleteUser(created.getId(), null, null, null);
        System.out.println("precondition-failed");
    }

    private static void require(boolean holds, String otherwise) {
        if (!holds) {
            throw new IllegalStateException(otherwise);
        }
    }
}
