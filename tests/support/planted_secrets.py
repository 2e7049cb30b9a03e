"""Secrets to plant in requests, and the names of attributes that are secret."""

import base64
from itertools import count

SECRET_NAMES = (
    *("password", "Password", "PASSWORD", "pass-word", "pass_word", "userPassword", "user_password", "newPassword"),
    *("oldPassword", "passwordHash", "password_hash", "PasswordSalt", "passwd", "userPasswd", "pwd", "unicodePwd"),
    *("passphrase", "pass_phrase", "Pass Phrase", "passcode", "pass", "dbPass", "temporaryAccessPass", "userPw"),
    *("secret", "clientSecret", "client_secret", "CLIENT-SECRET", "sharedSecret", "secretKey", "secret.key"),
    *("token", "accessToken", "access_token", "Access-Token", "access.token", "refreshToken", "idToken", "apiToken"),
    *("apiKey", "api_key", "API-Key", "APIKEY", "api.key", "api key", "x-api-key", "accessKey", "aws_access_key_id"),
    *("privateKey", "private_key", "sshPrivateKey", "signingKey", "encryption-key", "sharedKey", "symmetricKey"),
    *("authorization", "Proxy-Authorization", "credentials", "supplementalCredentials", "userCredential", "keytab"),
    *("pin", "PIN", "userPin", "card_pin", "PINNumber", "otp", "OTP", "otpSeed", "otp_seed", "totpSecret", "mfaSeed"),
    *("seed", "otpKey", "hotp", "jwt", "psk", "recoveryCode", "backup_codes", "ntHash", "lmHash", "userPKCS12"),
    *(
        "sessionCookie",
        "sessionId",
        "passkey",
        "\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44",
        "pa\u017f\u017fword",
        "pass\u200bword",
        "pass\tword",
    ),
)


class Planted:
    """Makes secrets, and finds those that are in a text."""

    def __init__(self):
        self.numbers, self.all = count(1000), []

    def new(self):
        self.all.append(f"Hush{next(self.numbers)}hush")
        return self.all[-1]

    def basic(self):
        encoded = base64.b64encode(f"ann:{self.new()}".encode()).decode()
        self.all.append(encoded)
        return f"Basic {encoded}"

    def found_in(self, text):
        folded = text.casefold()
        return [one for one in self.all if one.casefold() in folded]
